// Computes the addresses and routes of a device, and applies them to the kernel in a network
// namespace.
#include "engine/host/address_sync.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <memory>
#include <random>
#include <sstream>
#include <thread>

#include "io/tun.h"
#include "tests/support/in_namespace.h"

namespace culvert::host {
namespace {

using test::in_namespace;

using proto::Ipv4Address;
using proto::Ipv4Prefix;
using proto::Ipv6Prefix;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

Ipv6Prefix v6(const std::string& text) { return *Ipv6Prefix::from_text(text); }
Ipv4Prefix v4(const std::string& text) { return *Ipv4Prefix::from_text(text); }
Ipv4Address host(const std::string& text) { return *Ipv4Address::from_text(text); }

/// A device with one tunnel for each list of prefixes.
DeviceSettings device(const std::vector<std::vector<Ipv6Prefix>>& tunnels) {
  DeviceSettings settings;
  for (const auto& prefixes : tunnels) settings.config.tunnels.push_back({.prefixes6 = prefixes});
  return settings;
}

TEST(StateOf, RoutesWhatTheDeviceDoesNotCover) {
  DeviceSettings settings = device({{v6("2001:db8:1::2/128"), v6("2001:db8:100::/56")},
                                    {v6("2001:db8:2::/48"), v6("2001:db8:1:1::/64")}});
  settings.addresses6 = {v6("2001:db8:1::1/64")};
  settings.routes6 = {v6("2001:db8:2::/47")};
  const DeviceState state = desired_state(settings, {});
  EXPECT_THAT(state.addresses6, ElementsAre(v6("2001:db8:1::1/64")));
  EXPECT_THAT(state.routes6,
              ElementsAre(v6("2001:db8:1:1::/64"), v6("2001:db8:2::/47"), v6("2001:db8:100::/56")));
}

TEST(StateOf, HasAnUnreachableRouteForEachRoutedPrefix) {
  DeviceSettings settings = device({{}});
  settings.routed6 = {v6("2001:db8:9::/48"), v6("2001:db8:8::/48"), v6("2001:db8:9::/48")};
  settings.routed4 = {v4("10.8.0.0/16")};
  const DeviceState state = desired_state(settings, {});
  EXPECT_THAT(state.routed6, ElementsAre(v6("2001:db8:8::/48"), v6("2001:db8:9::/48")));
  EXPECT_THAT(state.routed4, ElementsAre(v4("10.8.0.0/16")));
  EXPECT_THAT(state.routes6, IsEmpty());
}

TEST(StateOf, RoutesOnePrefixOnceAndTheLargerOfTwo) {
  const DeviceState state = desired_state(
      device({{v6("2001:db8::/32")}, {v6("2001:db8::/32")}, {v6("2001:db8:5::/48")}}), {});
  EXPECT_THAT(state.routes6, ElementsAre(v6("2001:db8::/32")));
}

TEST(StateOf, MakesNoDefaultRouteOfAPrefix) {
  DeviceSettings settings = device({{v6("::/0")}, {v6("2001:db8::/32")}});
  settings.config.tunnels[0].prefixes4 = {v4("0.0.0.0/0"), v4("10.0.0.0/8")};
  EXPECT_THAT(desired_state(settings, {}).routes6, ElementsAre(v6("2001:db8::/32")));
  EXPECT_THAT(desired_state(settings, {}).routes4, ElementsAre(v4("10.0.0.0/8")));
  settings.routes6 = {v6("::/0")};
  EXPECT_THAT(desired_state(settings, {}).routes6, ElementsAre(v6("::/0")));
}

TEST(StateOf, HasALinkLocalAddressForEachLocalAddress) {  // RFC 4213 3.7
  DeviceSettings settings = device({{}, {}, {}});
  const std::vector locals{host("192.0.2.1"), host("0.0.0.0"), host("10.0.0.5"), host("192.0.2.1")};
  EXPECT_THAT(desired_state(settings, locals).addresses6,
              ElementsAre(v6("fe80::a00:5/64"), v6("fe80::c000:201/64")));
  settings.addresses6 = {v6("fe80::a00:5/10")};
  EXPECT_THAT(desired_state(settings, locals).addresses6,
              ElementsAre(v6("fe80::a00:5/10"), v6("fe80::c000:201/64")));
}

/// The slow reference: compares each prefix with each other prefix.
std::vector<Ipv6Prefix> model_of(const DeviceSettings& settings) {
  std::vector<Ipv6Prefix> wanted, routes = settings.routes6;
  for (const auto& tunnel : settings.config.tunnels)
    wanted.insert(wanted.end(), tunnel.prefixes6.begin(), tunnel.prefixes6.end());
  const auto covers = [](const Ipv6Prefix& a, const Ipv6Prefix& b) {
    return a.length_bits <= b.length_bits && a.contains(b.address);
  };
  for (const auto& prefix : wanted) {
    const auto above = [&](const Ipv6Prefix& other) { return covers(other, prefix); };
    const auto really_above = [&](const Ipv6Prefix& other) {
      return other != prefix && covers(other, prefix);
    };
    if (std::any_of(settings.addresses6.begin(), settings.addresses6.end(), above) ||
        std::any_of(settings.routes6.begin(), settings.routes6.end(), above) ||
        std::any_of(wanted.begin(), wanted.end(), really_above))
      continue;
    routes.push_back(prefix);
  }
  std::sort(routes.begin(), routes.end());
  routes.erase(std::unique(routes.begin(), routes.end()), routes.end());
  return routes;
}

TEST(StateOf, IsWhatTheSlowWayFinds) {
  std::mt19937 random{7};
  const auto prefix = [&] {  // of few bits, so that many cover each other
    Ipv6Prefix result = v6("2001:db8::/32");
    result.address.bytes[4] = std::byte(random() & 0xff);
    result.length_bits = static_cast<std::uint8_t>(33 + random() % 8);
    return result;
  };
  for (int round = 0; round < 300; ++round) {
    DeviceSettings settings = device({{}, {}});
    for (unsigned i = static_cast<unsigned>(random() % 12); i > 0; --i)
      settings.config.tunnels[random() % 2].prefixes6.push_back(prefix().network());
    for (unsigned i = static_cast<unsigned>(random() % 3); i > 0; --i)
      settings.addresses6.push_back(prefix());
    for (unsigned i = static_cast<unsigned>(random() % 3); i > 0; --i)
      settings.routes6.push_back(prefix().network());
    EXPECT_EQ(desired_state(settings, {}).routes6, model_of(settings));
  }
}

/// The kernel's addresses of tun7 and the routes by it, as text without counters.
std::string kernel_state() {
  std::ostringstream text;
  for (const char* path : {"/proc/net/if_inet6", "/proc/net/ipv6_route", "/proc/net/route"}) {
    std::ifstream file{path};
    for (std::string line; std::getline(file, line);) {
      if (line.find("tun7") == std::string::npos) continue;
      text << (line.find(" 00000000 ") == std::string::npos ? line : line.substr(0, 35)) << "\n";
    }
  }
  return text.str();
}

std::vector<std::string> sorted_lines(const std::string& text) {
  std::istringstream from{text};
  std::vector<std::string> lines;
  for (std::string line; std::getline(from, line);) lines.push_back(line);
  std::sort(lines.begin(), lines.end());
  return lines;
}

struct Rig {
  Rig() {
    EXPECT_TRUE(netlink->disable_address_generation(tun->index));
    EXPECT_TRUE(netlink->set_up(tun->index));
  }
  Result<void> bring_to(const DeviceState& wanted) {
    if (auto done = keeper.set_addresses(wanted); !done) return done;
    return keeper.set_routes(wanted);
  }
  Result<io::Tun> tun = io::open_tun("tun7", 1);
  Result<netlink::Netlink> netlink = netlink::Netlink::open();
  AddressSync keeper{*netlink, tun->index};
};

TEST(AddressSync, AddsAndRemovesWhatDiffers) {
  in_namespace([] {
    Rig rig;
    const std::string nothing = kernel_state();
    const DeviceState first{.addresses6 = {v6("2001:db8:1::1/64"), v6("fe80::1/64")},
                            .addresses4 = {v4("10.0.0.1/24"), v4("10.0.0.2/24")},
                            .routes6 = {v6("2001:db8:8::/48"), v6("2001:db8:9::/48")},
                            .routes4 = {v4("10.8.0.0/16")}};
    ASSERT_TRUE(rig.bring_to(first));
    const std::string there = kernel_state();
    EXPECT_THAT(there, HasSubstr("20010db8000900000000000000000000 30"));
    DeviceState second = first;
    second.addresses6 = {v6("2001:db8:2::1/64"), v6("fe80::1/64")};
    second.addresses4 = {v4("10.0.0.2/24")};  // the other was the primary one of the subnet
    second.routes6 = {v6("2001:db8:7::/48"), v6("2001:db8:8::/48")};
    second.routes4 = {};
    ASSERT_TRUE(rig.bring_to(second));
    const std::string now = kernel_state();
    EXPECT_THAT(now, HasSubstr("20010db8000700000000000000000000 30"));
    EXPECT_THAT(now, Not(HasSubstr("20010db8000900000000000000000000 30")));
    EXPECT_THAT(now, Not(HasSubstr("20010db8000100000000000000000001")));
    EXPECT_THAT(now, HasSubstr("tun7\t0000000A"));  // 10.0.0.0/24 is still on the device
    EXPECT_THAT(now, Not(HasSubstr("tun7\t0000080A")));
    ASSERT_TRUE(rig.bring_to(first));
    ASSERT_TRUE(rig.bring_to(DeviceState{}));
    EXPECT_EQ(kernel_state(), nothing);
  });
}

/// The kernel adds the route of an address to the table `local` in another thread. Before that it
/// drops packets to the address. Without the wait about every third address is not there yet.
TEST(AddressSync, WaitsUntilAddressesAreLocal) {
  in_namespace([] {
    Rig rig;
    DeviceState wanted;
    for (int i = 0; i < 100; ++i) {
      wanted.addresses6 = {v6(("2001:db8::" + std::to_string(i + 1) + "/64").c_str())};
      ASSERT_TRUE(rig.keeper.set_addresses(wanted));
      rig.keeper.wait_for_addresses();
      const auto is_local = rig.netlink->is_local(rig.tun->index, wanted.addresses6[0].address);
      ASSERT_TRUE(is_local);
      EXPECT_TRUE(*is_local) << i;
    }
    const auto is_local = rig.netlink->is_local(rig.tun->index, v6("2001:db8:5::/48").address);
    ASSERT_TRUE(is_local);
    EXPECT_FALSE(*is_local);
  });
}

TEST(AddressSync, GoesBackAfterAnError) {
  in_namespace([] {
    Rig rig;
    const auto other = io::open_tun("tun8", 1);
    ASSERT_TRUE(rig.netlink->set_up(other->index));
    ASSERT_TRUE(rig.netlink->add_route(other->index, v6("2001:db8:5::/48")));
    DeviceState before;
    before.routes6 = {v6("2001:db8:1::/48"), v6("2001:db8:2::/48")};
    ASSERT_TRUE(rig.bring_to(before));
    const std::string there = kernel_state();
    DeviceState wanted;
    wanted.routes6 = {v6("2001:db8:2::/48"), v6("2001:db8:3::/48"), v6("2001:db8:5::/48")};
    wanted.addresses6 = {v6("2001:db8::1/128")};
    const auto refused = rig.bring_to(wanted);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, EEXIST);
    EXPECT_THAT(refused.error().advice, HasSubstr("by tun8"));
    ASSERT_TRUE(rig.bring_to(before));
    EXPECT_EQ(kernel_state(), there);
  });
}

TEST(AddressSync, IsContentIfSomebodyElseHasRemovedIt) {
  in_namespace([] {
    Rig rig;
    DeviceState wanted;
    wanted.routes6 = {v6("2001:db8:1::/48")};
    wanted.addresses6 = {v6("2001:db8:2::1/64")};
    ASSERT_TRUE(rig.bring_to(wanted));
    ASSERT_TRUE(rig.netlink->remove_route(rig.tun->index, v6("2001:db8:1::/48")));
    ASSERT_TRUE(rig.netlink->remove_address(rig.tun->index, v6("2001:db8:2::1/64")));
    EXPECT_TRUE(rig.bring_to(DeviceState{}));
  });
}

TEST(AddressSync, RestoresWhatOthersRemove) {
  in_namespace([] {
    Rig rig;
    const DeviceState wanted{
        .addresses6 = {v6("2001:db8:1::1/64"), v6("2001:db8:a::1/128"), v6("fe80::1/64")},
        .addresses4 = {v4("10.0.0.1/24"), v4("10.0.0.2/24")},
        .routes6 = {v6("2001:db8:8::/48"), v6("2001:db8:9::/48")},
        .routes4 = {v4("10.8.0.0/16")}};
    ASSERT_TRUE(rig.bring_to(wanted));
    rig.keeper.wait_for_addresses();
    const std::string there = kernel_state();
    const auto nothing = rig.keeper.restore(wanted);
    ASSERT_TRUE(nothing);
    EXPECT_THAT(*nothing, IsEmpty());
    for (const char* removal :
         {"ip -6 addr flush dev tun7", "ip addr flush dev tun7",
          "ip -6 route flush dev tun7; ip route flush dev tun7", "ip -6 route del 2001:db8:9::/48",
          "ip link set tun7 down; ip link set tun7 up"}) {
      ASSERT_EQ(std::system(removal), 0);
      EXPECT_NE(kernel_state(), there) << removal;
      const auto restored = rig.keeper.restore(wanted);
      ASSERT_TRUE(restored) << restored.error().message();
      EXPECT_THAT(*restored, Not(IsEmpty())) << removal;
      rig.keeper.wait_for_addresses();
      EXPECT_EQ(sorted_lines(kernel_state()), sorted_lines(there)) << removal;
      EXPECT_THAT(*rig.keeper.restore(wanted), IsEmpty()) << removal;
    }
  });
}

/// The unreachable routes of the main table, in lines of `ip route`.
std::string unreachable_routes() {
  std::unique_ptr<FILE, int (*)(FILE*)> pipe{
      ::popen("ip -6 route show type unreachable; ip route show type unreachable", "r"), ::pclose};
  std::string text;
  for (int c = std::fgetc(pipe.get()); c != EOF; c = std::fgetc(pipe.get()))
    text += static_cast<char>(c);
  return text;
}

TEST(AddressSync, KeepsUnreachableRoutesAndRemovesThemAtTheEnd) {
  in_namespace([] {
    {
      Rig rig;
      const DeviceState wanted{.routed6 = {v6("2001:db8:8::/48"), v6("2001:db8:9::/48")},
                               .routed4 = {v4("10.8.0.0/16")}};
      ASSERT_TRUE(rig.bring_to(wanted));
      EXPECT_THAT(unreachable_routes(), HasSubstr("unreachable 2001:db8:8::/48"));
      EXPECT_THAT(unreachable_routes(), HasSubstr("unreachable 2001:db8:9::/48"));
      EXPECT_THAT(unreachable_routes(), HasSubstr("unreachable 10.8.0.0/16"));
      ASSERT_EQ(std::system("ip -6 route flush type unreachable; ip route flush type unreachable"),
                0);
      const auto restored = rig.keeper.restore(wanted);
      ASSERT_TRUE(restored) << restored.error().message();
      EXPECT_THAT(*restored, ElementsAre("2001:db8:8::/48", "2001:db8:9::/48", "10.8.0.0/16"));
      EXPECT_THAT(*rig.keeper.restore(wanted), IsEmpty());
      // One is no longer wanted; another process that was killed has left the other.
      const DeviceState next{.routed6 = {v6("2001:db8:9::/48")}, .routed4 = {v4("10.8.0.0/16")}};
      ASSERT_TRUE(rig.bring_to(next));
      EXPECT_THAT(unreachable_routes(), Not(HasSubstr("2001:db8:8::/48")));
      EXPECT_TRUE(rig.netlink->add_unreachable_route(v6("2001:db8:9::/48")));
    }
    EXPECT_EQ(unreachable_routes(), "");
  });
}

TEST(AddressSync, RestoresNothingWhileTheDeviceIsDown) {
  in_namespace([] {
    Rig rig;
    DeviceState wanted;
    wanted.routes6 = {v6("2001:db8:1::/48")};
    ASSERT_TRUE(rig.bring_to(wanted));
    ASSERT_EQ(std::system("ip link set tun7 down"), 0);
    const auto restored = rig.keeper.restore(wanted);
    ASSERT_TRUE(restored) << restored.error().message();
    EXPECT_THAT(*restored, IsEmpty());
  });
}

TEST(AddressSync, TriesAgainWhatItCouldNotRestore) {
  in_namespace([] {
    Rig rig;
    DeviceState wanted;
    wanted.routes6 = {v6("2001:db8:1::/48")};
    ASSERT_TRUE(rig.bring_to(wanted));
    ASSERT_EQ(std::system("ip -6 route del 2001:db8:1::/48; ip -6 route add 2001:db8:1::/48 "
                          "dev lo metric 1024"),
              0);
    const auto refused = rig.keeper.restore(wanted);
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().advice, HasSubstr("by lo"));
    ASSERT_EQ(std::system("ip -6 route del 2001:db8:1::/48 dev lo"), 0);
    ASSERT_TRUE(rig.keeper.restore(wanted));
    EXPECT_THAT(kernel_state(), HasSubstr("20010db8000100000000000000000000 30"));
  });
}

/// Changes routes and addresses in a thread, as fast as the kernel can, until it is destroyed.
class BusyNeighborhood {
 public:
  explicit BusyNeighborhood(std::function<void(netlink::Netlink&)> change)
      : thread_([this, change = std::move(change)] {
          auto own = netlink::Netlink::open();
          while (!ends_) change(*own);
        }) {}
  ~BusyNeighborhood() {
    ends_ = true;
    thread_.join();
  }

 private:
  std::atomic<bool> ends_{false};
  std::thread thread_;
};

/// A device with 3,000 routes, which the kernel lists in several messages.
DeviceState many_routes() {
  DeviceState state{
      .addresses6 = {v6("2001:db8:1::1/64")}, .addresses4 = {}, .routes6 = {}, .routes4 = {}};
  for (unsigned i = 0; i < 3'000; ++i) {
    Ipv6Prefix route = v6("2001:db8:8::/64");
    route.address.bytes[6] = std::byte(i >> 8);
    route.address.bytes[7] = std::byte(i & 0xff);
    state.routes6.push_back(route);
  }
  return state;
}

/// While other routes change, an incomplete list must not make it forget what it has added: that would
/// be left over.
TEST(AddressSync, ForgetsNothingWhileOthersChange) {
  in_namespace([] {
    Rig rig;
    const std::string nothing = kernel_state();
    const DeviceState wanted = many_routes();
    ASSERT_TRUE(rig.bring_to(wanted));
    int incomplete = 0;
    {
      const auto other = io::open_tun("tun8", 1);
      ASSERT_TRUE(rig.netlink->set_up(other->index));
      const BusyNeighborhood busy{[index = other->index](netlink::Netlink& own) {
        EXPECT_TRUE(own.add_route(index, v6("2001:db8:7::/48")));
        EXPECT_TRUE(own.add_address(index, v6("2001:db8:6::1/64")));
        EXPECT_TRUE(own.remove_address(index, v6("2001:db8:6::1/64")));
        EXPECT_TRUE(own.remove_route(index, v6("2001:db8:7::/48")));
      }};
      for (int i = 0; i < 30; ++i) {
        const auto found = rig.netlink->read_device(rig.tun->index);
        ASSERT_TRUE(found) << found.error().message();
        incomplete += found->routes6.size() <= wanted.routes6.size();  // the network's is one more
        const auto restored = rig.keeper.restore(wanted);
        ASSERT_TRUE(restored) << restored.error().message();
        EXPECT_THAT(*restored, IsEmpty());
      }
    }
    EXPECT_GT(incomplete, 0) << "no list was incomplete, so nothing was shown";
    const auto restored = rig.keeper.restore(wanted);
    ASSERT_TRUE(restored) << restored.error().message();
    EXPECT_THAT(*restored, IsEmpty());
    ASSERT_TRUE(rig.bring_to(DeviceState{}));
    EXPECT_EQ(kernel_state(), nothing);
  });
}

/// Another program has added it again before: it is there, and is removed at the end.
TEST(AddressSync, KeepsWhatAnotherProgramAddsFirst) {
  in_namespace([] {
    Rig rig;
    const std::string nothing = kernel_state();
    DeviceState wanted;
    wanted.routes6 = {v6("2001:db8:1::/48")};
    ASSERT_TRUE(rig.bring_to(wanted));
    ASSERT_EQ(std::system("ip -6 route del 2001:db8:1::/48; ip -6 route add 2001:db8:1::/48 "
                          "dev lo metric 1024"),
              0);
    ASSERT_FALSE(rig.keeper.restore(wanted));
    ASSERT_EQ(std::system("ip -6 route del 2001:db8:1::/48; ip -6 route add 2001:db8:1::/48 "
                          "dev tun7 metric 1024 proto static"),
              0);
    const auto restored = rig.keeper.restore(wanted);
    ASSERT_TRUE(restored) << restored.error().message();
    ASSERT_TRUE(rig.bring_to(DeviceState{}));
    EXPECT_EQ(kernel_state(), nothing);
  });
}

}  // namespace
}  // namespace culvert::host
