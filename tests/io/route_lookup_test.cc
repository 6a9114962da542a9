#include "io/route_lookup.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "tests/io/rig.h"

namespace culvert::io {
namespace {

using testing::ElementsAre;

proto::Ipv4Address v4(const char* text) { return proto::Ipv4Address::from_text(text).value(); }

/// Two uplinks: `one` 192.0.2.1/24 with the default route, `two` 198.51.100.1/24 and .2.
class RouteLookups : public NamespaceTest {
 protected:
  void SetUp() override {
    NamespaceTest::SetUp();
    if (IsSkipped()) return;
    ip("link add one type veth peer name far1");
    ip("link add two mtu 1400 type veth peer name far2");
    ip("address add 192.0.2.1/24 dev one");
    ip("address add 198.51.100.1/24 dev two");
    ip("address add 198.51.100.2/24 dev two");
    for (const char* interface : {"far1", "far2", "one", "two"})
      ip(std::string{"link set up dev "} + interface);
    ip("route add default via 192.0.2.254 dev one");
  }
  RouteLookup lookup_;
};

TEST_F(RouteLookups, GivesSourceAndMtuOfTheRoute) {
  const auto by_default = lookup_.look_up("", v4("203.0.113.1"), {});
  ASSERT_TRUE(by_default);
  EXPECT_EQ(by_default->source, v4("192.0.2.1"));
  EXPECT_EQ(by_default->mtu_bytes, 1500);
  const auto on_link = lookup_.look_up("", v4("198.51.100.9"), {});
  ASSERT_TRUE(on_link);
  EXPECT_EQ(on_link->source, v4("198.51.100.1"));
  EXPECT_EQ(on_link->mtu_bytes, 1400);
}

TEST_F(RouteLookups, ReadsTheSmallestPathMtu) {
  constexpr const char* kSetting = "/proc/sys/net/ipv4/route/min_pmtu";
  EXPECT_EQ(min_path_mtu_bytes(), 552);
  std::ofstream{kSetting} << 300 << std::flush;
  EXPECT_EQ(min_path_mtu_bytes(), 300);
}

TEST_F(RouteLookups, FollowsAChange) {
  ASSERT_TRUE(lookup_.look_up("", v4("203.0.113.1"), {}));
  ip("route add 203.0.113.0/24 dev two src 198.51.100.2 mtu 1300");
  const auto changed = lookup_.look_up("", v4("203.0.113.1"), {});
  ASSERT_TRUE(changed);
  EXPECT_EQ(changed->source, v4("198.51.100.2"));
  EXPECT_EQ(changed->mtu_bytes, 1300);
  ip("route replace unreachable 203.0.113.0/24");
  EXPECT_FALSE(lookup_.look_up("", v4("203.0.113.1"), {}));
}

TEST_F(RouteLookups, ConsidersTheSourceForPolicyRouting) {
  ip("rule add from 198.51.100.2 lookup 7");
  ip("route add default dev two mtu 1350 table 7");
  EXPECT_EQ(lookup_.look_up("", v4("203.0.113.1"), v4("198.51.100.2"))->mtu_bytes, 1350);
  EXPECT_EQ(lookup_.look_up("", v4("203.0.113.1"), v4("192.0.2.1"))->mtu_bytes, 1500);
  EXPECT_FALSE(lookup_.look_up("", v4("203.0.113.1"), v4("192.0.2.77")));  // not an address of ours
}

TEST_F(RouteLookups, ConsidersTheInterface) {
  ip("route add default dev two metric 9");
  const auto by_two = lookup_.look_up("two", v4("203.0.113.1"), {});
  ASSERT_TRUE(by_two);
  EXPECT_EQ(by_two->mtu_bytes, 1400);
  EXPECT_FALSE(lookup_.look_up("none", v4("203.0.113.1"), {}));
  EXPECT_EQ(lookup_.look_up("", v4("203.0.113.1"), {})->mtu_bytes, 1500);
}

TEST_F(RouteLookups, FindsInterfacesAndAddresses) {
  EXPECT_EQ(interface_index("two"), ::if_nametoindex("two"));
  EXPECT_EQ(interface_index("none"), 0u);
  ip("address add 192.0.2.1/32 dev two");  // twice on this host
  const auto own = own_ipv4_addresses();
  ASSERT_TRUE(own);
  EXPECT_THAT(
      *own, ElementsAre(v4("127.0.0.1"), v4("192.0.2.1"), v4("198.51.100.1"), v4("198.51.100.2")));
}

}  // namespace
}  // namespace culvert::io
