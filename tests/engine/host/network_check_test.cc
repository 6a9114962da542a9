// Addresses of a device whose network another interface has too, in a network namespace.
#include "engine/host/network_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/netlink/netlink.h"
#include "io/tun.h"
#include "tests/support/in_namespace.h"

namespace culvert::host {
namespace {

using proto::Ipv4Prefix;
using proto::Ipv6Prefix;
using testing::ElementsAre;
using testing::IsEmpty;

TEST(NetworkWarnings, NameTheInterfaceThatHasTheNetworkToo) {
  test::in_namespace([] {
    auto netlink = netlink::Netlink::open();
    const auto eth = io::open_tun("eth9", 1), own = io::open_tun("tun1", 1);
    ASSERT_TRUE(netlink && eth && own);
    for (const auto* device : {&*eth, &*own}) ASSERT_TRUE(netlink->set_up(device->index));
    for (const char* address : {"2001:db8:1::7/64", "2001:db8:2::7/128", "fe80::7/64"})
      ASSERT_TRUE(netlink->add_address(eth->index, *Ipv6Prefix::from_text(address)));
    for (const char* address : {"10.1.0.7/24", "10.2.0.7/32", "169.254.0.7/16"})
      ASSERT_TRUE(netlink->add_address(eth->index, *Ipv4Prefix::from_text(address)));
    ASSERT_TRUE(netlink->add_address(own->index, *Ipv6Prefix::from_text("2001:db8:1::2/64")));
    const auto warnings = [](std::vector<const char*> addresses6,
                             std::vector<const char*> addresses4) {
      DeviceSettings settings;
      settings.config.device = "tun1";
      for (const char* text : addresses6)
        settings.addresses6.push_back(*Ipv6Prefix::from_text(text));
      for (const char* text : addresses4)
        settings.addresses4.push_back(*Ipv4Prefix::from_text(text));
      return network_warnings(settings);
    };
    EXPECT_THAT(warnings({"2001:db8:1::2/64"}, {}),
                ElementsAre("address 2001:db8:1::2/64 of tun1: eth9 has 2001:db8:1::7/64, so "
                            "packets to 2001:db8:1::/64 may leave by eth9: give tun1 another "
                            "network, or write /128"));
    EXPECT_THAT(warnings({}, {"10.1.0.2/24"}),
                ElementsAre("address 10.1.0.2/24 of tun1: eth9 has 10.1.0.7/24, so packets to "
                            "10.1.0.0/24 may leave by eth9: give tun1 another network, or write "
                            "/32"));
    // A longer prefix is the better match, an address of full length has no network, and link-local
    // networks are on every link.
    EXPECT_THAT(
        warnings({"2001:db8:1::2/48", "2001:db8:1::2/128", "2001:db8:2::7/128", "fe80::2/64"},
                 {"10.1.0.2/16", "10.1.0.2/32", "10.2.0.7/32", "169.254.0.2/16"}),
        IsEmpty());
  });
}

}  // namespace
}  // namespace culvert::host
