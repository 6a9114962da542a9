// Sends netlink requests and reads back their effect by /proc, ioctl and netlink, in a network
// namespace.
#include "io/netlink/netlink.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <cerrno>
#include <fstream>
#include <sstream>

#include "io/tun.h"
#include "tests/support/in_namespace.h"

namespace culvert::netlink {
namespace {

using test::in_namespace;
using test::mtu_of;

using proto::Ipv4Address;
using proto::Ipv4Prefix;
using proto::Ipv6Prefix;
using testing::HasSubstr;
using testing::Not;

std::string read_file(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream{path}.rdbuf();
  return text.str();
}

bool is_up(const std::string& device) {
  const io::Fd socket{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  ifreq request{};
  device.copy(request.ifr_name, IFNAMSIZ - 1);
  return ::ioctl(socket.get(), SIOCGIFFLAGS, &request) == 0 && (request.ifr_flags & IFF_UP) != 0;
}

Ipv6Prefix v6(const char* text) { return *Ipv6Prefix::from_text(text); }
Ipv4Prefix v4(const char* text) { return *Ipv4Prefix::from_text(text); }

/// A TUN device and the connection that configures it.
struct Rig {
  Result<io::Tun> tun = io::open_tun("tun7", 1);
  Result<Netlink> netlink = Netlink::open();
  [[nodiscard]] bool is_ready() const { return tun.has_value() && netlink.has_value(); }
};

TEST(Netlink, ConfiguresADevice) {
  in_namespace([] {
    Rig rig;
    ASSERT_TRUE(rig.is_ready());
    Netlink& netlink = *rig.netlink;
    const unsigned index = rig.tun->index;
    ASSERT_TRUE(netlink.disable_address_generation(index));
    ASSERT_TRUE(netlink.set_mtu(index, 1420));
    ASSERT_TRUE(netlink.add_address(index, v6("2001:db8::2/64")));
    ASSERT_TRUE(netlink.add_address(index, v6("fe80::c000:201/64")));
    ASSERT_TRUE(netlink.add_address(index, v4("10.0.0.1/30")));
    ASSERT_TRUE(netlink.set_up(index));
    ASSERT_TRUE(netlink.add_route(index, v6("2001:db8:1::/48")));
    ASSERT_TRUE(netlink.add_route(index, v4("10.9.0.0/16")));

    EXPECT_EQ(mtu_of("tun7"), 1420);
    EXPECT_TRUE(is_up("tun7"));
    const std::string addresses = read_file("/proc/net/if_inet6");
    // Scope global, flags: permanent and without duplicate address detection.
    EXPECT_THAT(addresses, HasSubstr("20010db8000000000000000000000002"));
    EXPECT_THAT(addresses, HasSubstr("40 00 82     tun7"));
    // Scope link. It is the only such address: the kernel has generated none.
    EXPECT_THAT(addresses, HasSubstr("fe8000000000000000000000c0000201"));
    EXPECT_EQ(addresses.find("fe80"), addresses.rfind("fe80"));
    EXPECT_THAT(addresses, HasSubstr("40 20 82     tun7"));
    EXPECT_THAT(read_file("/proc/net/ipv6_route"),
                HasSubstr("20010db8000100000000000000000000 30"));
    const auto own = netlink.route_to(*Ipv4Address::from_text("10.0.0.1"));
    ASSERT_TRUE(own && *own);
    EXPECT_TRUE((*own)->is_local);
    const auto far = netlink.route_to(*Ipv4Address::from_text("10.9.8.7"));
    ASSERT_TRUE(far && *far);
    EXPECT_FALSE((*far)->is_local);
    EXPECT_EQ((*far)->device_index, index);
    EXPECT_EQ((*far)->length_bits, 16);
    EXPECT_EQ((*far)->source, Ipv4Address::from_text("10.0.0.1"));
    EXPECT_EQ((*far)->gateway, std::nullopt);
  });
}

TEST(Netlink, LeavesNothingBehind) {
  in_namespace([] {
    const std::string before = read_file("/proc/net/ipv6_route") + read_file("/proc/net/route") +
                               read_file("/proc/net/if_inet6");
    {
      Rig rig;
      ASSERT_TRUE(rig.is_ready());
      ASSERT_TRUE(rig.netlink->add_address(rig.tun->index, v6("2001:db8::2/64")));
      ASSERT_TRUE(rig.netlink->set_up(rig.tun->index));
      ASSERT_TRUE(rig.netlink->add_route(rig.tun->index, v4("10.9.0.0/16")));
      ASSERT_TRUE(rig.netlink->add_route(rig.tun->index, v6("::/0")));
    }
    EXPECT_EQ(::if_nametoindex("tun7"), 0u);
    EXPECT_EQ(read_file("/proc/net/ipv6_route") + read_file("/proc/net/route") +
                  read_file("/proc/net/if_inet6"),
              before);
  });
}

TEST(Netlink, NamesTheDeviceOfARouteThatIsThere) {
  in_namespace([] {
    Rig rig;
    ASSERT_TRUE(rig.is_ready());
    auto other = io::open_tun("other0", 1);
    ASSERT_TRUE(other);
    ASSERT_TRUE(rig.netlink->set_up(other->index));
    ASSERT_TRUE(rig.netlink->set_up(rig.tun->index));
    for (const char* prefix : {"::/0", "2001:db8::/32"}) {
      ASSERT_TRUE(rig.netlink->add_route(other->index, v6(prefix))) << prefix;
      const auto again = rig.netlink->add_route(rig.tun->index, v6(prefix));
      ASSERT_FALSE(again) << prefix;
      EXPECT_EQ(again.error().code, EEXIST);
      EXPECT_THAT(again.error().object, HasSubstr(std::string{prefix} + " by tun7"));
      EXPECT_THAT(again.error().advice, HasSubstr("by other0 already"));
      EXPECT_THAT(again.error().advice,
                  HasSubstr("`ip -6 route del " + std::string{prefix} + " dev other0`"));
    }
    ASSERT_TRUE(rig.netlink->add_route(other->index, v4("0.0.0.0/0")));
    const auto again = rig.netlink->add_route(rig.tun->index, v4("0.0.0.0/0"));
    ASSERT_FALSE(again);
    EXPECT_THAT(again.error().advice, HasSubstr("`ip route del 0.0.0.0/0 dev other0`"));
  });
}

TEST(Netlink, SaysWhyAnAddressIsRefused) {
  in_namespace([] {
    Rig rig;
    ASSERT_TRUE(rig.is_ready());
    ASSERT_TRUE(rig.netlink->add_address(rig.tun->index, v6("2001:db8::2/64")));
    const auto twice = rig.netlink->add_address(rig.tun->index, v6("2001:db8::2/64"));
    ASSERT_FALSE(twice);
    EXPECT_EQ(twice.error().code, EEXIST);
    EXPECT_THAT(twice.error().advice, HasSubstr("the device has it already"));
    const auto nowhere = rig.netlink->add_address(9999, v6("2001:db8::2/64"));
    ASSERT_FALSE(nowhere);
    EXPECT_EQ(nowhere.error().code, ENODEV);
    EXPECT_FALSE(rig.netlink->set_mtu(9999, 1400));
  });
}

TEST(Netlink, SaysHowToSwitchOnIpv6) {
  in_namespace([] {
    std::ofstream{"/proc/sys/net/ipv6/conf/default/disable_ipv6"} << "1\n";
    Rig rig;
    ASSERT_TRUE(rig.is_ready());
    const auto refused = rig.netlink->add_address(rig.tun->index, v6("2001:db8::2/64"));
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().advice, HasSubstr("net.ipv6.conf.tun7.disable_ipv6=0"));
  });
}

TEST(Netlink, FindsNoRouteWhereThereIsNone) {
  in_namespace([] {
    auto netlink = Netlink::open();
    ASSERT_TRUE(netlink);
    const auto none = netlink->route_to(*Ipv4Address::from_text("192.0.2.1"));
    ASSERT_TRUE(none) << none.error().message();
    EXPECT_FALSE(none->has_value());
    const auto loopback = netlink->route_to(*Ipv4Address::from_text("127.0.0.1"));
    ASSERT_TRUE(loopback && *loopback);
    EXPECT_TRUE((*loopback)->is_local);
  });
}

bool is_readable(int fd, int timeout_ms) {
  pollfd entry{.fd = fd, .events = POLLIN, .revents = 0};
  return ::poll(&entry, 1, timeout_ms) == 1;
}

TEST(NetlinkWatch, TellsOfLinksAddressesAndRoutes) {
  in_namespace([] {
    Rig rig;
    ASSERT_TRUE(rig.is_ready());
    auto watch = NetlinkWatch::open();
    ASSERT_TRUE(watch);
    EXPECT_FALSE(is_readable(watch->fd(), 0));
    const auto expect_change = [&](const char* what) {
      EXPECT_TRUE(is_readable(watch->fd(), 5000)) << what;
      watch->drain();
      EXPECT_FALSE(is_readable(watch->fd(), 0)) << what;
    };
    ASSERT_TRUE(rig.netlink->set_up(rig.tun->index));
    expect_change("link");
    ASSERT_TRUE(rig.netlink->add_address(rig.tun->index, v4("10.0.0.1/32")));
    expect_change("address");
    ASSERT_TRUE(rig.netlink->add_route(rig.tun->index, v4("10.9.0.0/16")));
    expect_change("route");
  });
}

}  // namespace
}  // namespace culvert::netlink
