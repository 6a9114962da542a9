// Sets and restores the sysctls for forwarding, in a network namespace.
#include "engine/host/forwarding.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "io/netlink/netlink.h"
#include "io/tun.h"
#include "tests/support/in_namespace.h"
#include "tools/culvert/config/command_line.h"

namespace culvert::host {
namespace {

using test::in_namespace;

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const std::string kSysctl = "/proc/sys/net/";

std::string value(const std::string& name) {
  std::string text;
  std::getline(std::ifstream{kSysctl + name} >> std::ws, text);
  return text;
}
void set_value(const std::string& name, const std::string& text) {
  std::ofstream{kSysctl + name} << text << "\n";
}

/// The values of every sysctl that may be changed.
std::map<std::string, std::string> all_values() {
  std::map<std::string, std::string> values;
  for (const std::string version : {"ipv6/conf", "ipv4/conf"}) {
    for (const auto& entry : std::filesystem::directory_iterator{kSysctl + version}) {
      for (const char* name : {"forwarding", "force_forwarding", "accept_ra"}) {
        const std::string path = version + "/" + entry.path().filename().string() + "/" + name;
        if (std::filesystem::exists(kSysctl + path)) values[path] = value(path);
      }
    }
  }
  return values;
}

bool has_force_forwarding() {
  return std::filesystem::exists(kSysctl + "ipv6/conf/all/force_forwarding");
}

DeviceSettings device_with(std::vector<std::string> words) {
  for (const char* word : {"mode", "gre", "remote", "192.0.2.1"}) words.emplace_back(word);
  const auto parsed = program::parse_command_line("tun1", words, {});
  EXPECT_TRUE(parsed) << (parsed ? "" : parsed.error().message());
  return *parsed;
}

/// tun1, an uplink "up" with default routes, and an unrelated interface "else".
struct Host {
  Host() {
    for (const auto* each : {&tun, &up, &beside}) EXPECT_TRUE(netlink->set_up((*each)->index));
    EXPECT_TRUE(netlink->add_route((*up).index, *proto::Ipv6Prefix::from_text("::/0")));
    EXPECT_TRUE(netlink->add_route((*up).index, *proto::Ipv4Prefix::from_text("0.0.0.0/0")));
  }
  Result<io::Tun> tun = io::open_tun("tun1", 1);
  Result<io::Tun> up = io::open_tun("up", 1);
  Result<io::Tun> beside = io::open_tun("else", 1);
  Result<netlink::Netlink> netlink = netlink::Netlink::open();
};

ForwardingSettings wanted_of(const DeviceSettings& settings,
                             const std::vector<NdpConfig>& ndp = {}) {
  const DeviceSettings* devices[] = {&settings};
  return forwarding_settings(devices, ndp);
}

TEST(ForwardingSettings, IsForTheDeviceTheProxiesAndTheUplinks) {
  in_namespace([] {
    const Host host;
    std::vector<NdpConfig> ndp(1);
    ndp[0].interface = "lan0";
    const auto wanted = wanted_of(device_with({"forwarding", "prefix", "2001:db8::/32"}), ndp);
    EXPECT_THAT(wanted.ipv6, ElementsAre("lan0", "tun1", "up"));
    EXPECT_THAT(wanted.ipv4, IsEmpty());
    EXPECT_THAT(wanted_of(device_with({"forwarding", "prefix", "10.0.0.0/8"})).ipv4,
                ElementsAre("tun1", "up"));
    EXPECT_EQ(wanted_of(device_with({"prefix", "2001:db8::/32"}), ndp), ForwardingSettings{});
  });
}

void sets_what_is_needed_and_gives_it_back(bool may_force) {
  in_namespace([may_force] {
    const Host host;
    set_value("ipv6/conf/up/accept_ra", "1");
    set_value("ipv6/conf/else/accept_ra", "1");
    set_value("ipv6/conf/lo/forwarding", "1");
    const auto before = all_values();
    {
      ForwardingGuard guard{may_force};
      const auto set = guard.set({.ipv6 = {"tun1", "up"}, .ipv4 = {"tun1"}});
      ASSERT_TRUE(set) << set.error().message();
      EXPECT_EQ(value("ipv6/conf/tun1/forwarding"), "1");
      EXPECT_EQ(value("ipv6/conf/up/forwarding"), "1");
      EXPECT_EQ(value("ipv6/conf/up/accept_ra"), "2");
      EXPECT_EQ(value("ipv4/conf/tun1/forwarding"), "1");
      EXPECT_EQ(value("ipv4/conf/up/forwarding"), "0");
      // The other interfaces accept router advertisements as before.
      EXPECT_EQ(value("ipv6/conf/else/forwarding"), "0");
      EXPECT_EQ(value("ipv6/conf/else/accept_ra"), "1");
      EXPECT_EQ(value("ipv6/conf/default/forwarding"), "0");
      if (may_force && has_force_forwarding()) {
        EXPECT_EQ(value("ipv6/conf/all/forwarding"), "0");
        EXPECT_EQ(value("ipv6/conf/up/force_forwarding"), "1");
      } else {
        EXPECT_EQ(value("ipv6/conf/all/forwarding"), "1");
      }
    }
    EXPECT_EQ(all_values(), before);
  });
}

TEST(ForwardingGuard, SetsWhatIsNeededAndGivesItBack) {
  sets_what_is_needed_and_gives_it_back(true);
}
TEST(ForwardingGuard, DoesSoOnKernelsBeforeForceForwarding) {
  sets_what_is_needed_and_gives_it_back(false);
}

TEST(ForwardingGuard, LeavesWhatForwardsAlready) {
  in_namespace([] {
    const Host host;
    set_value("ipv6/conf/all/forwarding", "1");
    set_value("ipv6/conf/up/accept_ra", "1");  // a router that does not listen to others
    const auto before = all_values();
    ForwardingGuard guard;
    ASSERT_TRUE(guard.set({.ipv6 = {"tun1", "up"}, .ipv4 = {}}));
    EXPECT_EQ(value("ipv6/conf/up/accept_ra"), "1");
    EXPECT_EQ(value("ipv6/conf/all/forwarding"), "1");
    guard.restore();
    EXPECT_EQ(all_values(), before);
  });
}

TEST(ForwardingGuard, GrowsAndShrinks) {
  in_namespace([] {
    const Host host;
    const auto before = all_values();
    ForwardingGuard guard;
    ASSERT_TRUE(guard.set({.ipv6 = {"tun1"}, .ipv4 = {}}));
    ASSERT_TRUE(guard.widen({.ipv6 = {"up"}, .ipv4 = {"up"}}));
    EXPECT_EQ(value("ipv6/conf/tun1/forwarding"), "1");
    EXPECT_EQ(value("ipv6/conf/up/forwarding"), "1");
    EXPECT_EQ(value("ipv4/conf/up/forwarding"), "1");
    ASSERT_TRUE(guard.set({.ipv6 = {"up"}, .ipv4 = {}}));
    EXPECT_EQ(value("ipv6/conf/tun1/forwarding"), "0");
    EXPECT_EQ(value("ipv6/conf/up/forwarding"), "1");
    EXPECT_EQ(value("ipv4/conf/up/forwarding"), "0");
    ASSERT_TRUE(guard.set({.ipv6 = {"gone", "up"}, .ipv4 = {}}));
    ASSERT_TRUE(guard.set({}));
    EXPECT_EQ(all_values(), before);
  });
}

TEST(WhyNotForwarded, NamesTheSysctl) {
  in_namespace([] {
    const Host host;
    EXPECT_EQ(forwarding_warning(device_with({})), "");
    EXPECT_EQ(forwarding_warning(device_with({"forwarding", "prefix", "2001:db8::/32"})), "");
    EXPECT_THAT(forwarding_warning(device_with({"prefix", "2001:db8::/32"})),
                HasSubstr("set forwarding, or run sysctl -w net.ipv6.conf.all.forwarding=1"));
    EXPECT_THAT(forwarding_warning(device_with({"prefix", "10.0.0.0/8"})),
                HasSubstr("sysctl -w net.ipv4.ip_forward=1"));
    NdpConfig ndp;
    ndp.interface = "up";
    ndp.rules = {{.prefix = *proto::Ipv6Prefix::from_text("2001:db8::/64")}};
    const DeviceSettings device = device_with({}), forwarding = device_with({"forwarding"});
    const DeviceSettings *const tunnels = &device, *const forwards = &forwarding;
    EXPECT_EQ(ndp_forwarding_warning(ndp, std::span{&tunnels, 1}), "") << "auto: for its tunnels";
    EXPECT_THAT(ndp_forwarding_warning(ndp, {}),
                HasSubstr("run sysctl -w net.ipv6.conf.all.forwarding=1"));
    ndp.rules[0].answer = NdpAnswer::always;
    EXPECT_THAT(ndp_forwarding_warning(ndp, std::span{&tunnels, 1}), HasSubstr("ndp up: "));
    EXPECT_EQ(ndp_forwarding_warning(ndp, std::span{&forwards, 1}), "");
    set_value("ipv6/conf/all/forwarding", "1");
    EXPECT_EQ(forwarding_warning(device_with({"prefix", "2001:db8::/32"})), "");
    EXPECT_EQ(ndp_forwarding_warning(ndp, {}), "");
  });
}

}  // namespace
}  // namespace culvert::host
