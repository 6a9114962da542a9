#include "engine/host/kernel_routes.h"

#include <gtest/gtest.h>

#include "tests/io/rig.h"

namespace culvert::host {
namespace {

using Kind = NdpRoute::Kind;

class KernelRoutesOf : public io::NamespaceTest {
 protected:
  void SetUp() override {
    NamespaceTest::SetUp();
    if (IsSkipped()) return;
    io::run("echo 0 > /proc/sys/net/ipv6/conf/default/disable_ipv6");
    io::ip("link add up0 type veth peer name far0");
    io::ip("link add lan0 type veth peer name far1");
    for (const char* interface : {"up0", "lan0", "far0", "far1"})
      io::ip(std::string{"link set up dev "} + interface);
    io::add_ipv6_address("up0", "2001:db8:0:1::2/64");
    io::add_ipv6_address("lan0", "2001:db8:5::1/64");
    auto opened = KernelRoutes::open();
    ASSERT_TRUE(opened);
    routes_ = std::move(*opened);
  }
  void expect(const char* target, Kind kind, unsigned length_bits = 0, const char* interface = "") {
    const NdpRoute found =
        routes_->find(proto::Ipv6Address::from_text(target).value(), ::if_nametoindex("up0"));
    EXPECT_EQ(found.kind, kind) << target;
    EXPECT_EQ(found.length_bits, length_bits) << target;
    EXPECT_EQ(found.interface_index, ::if_nametoindex(interface)) << target;
  }
  std::unique_ptr<NdpRoutes> routes_;
};

TEST_F(KernelRoutesOf, TheLongestPrefixOfTheMainTable) {
  expect("2001:db8:0:1::7", Kind::unicast, 64, "up0");
  expect("2001:db8:5::9", Kind::unicast, 64, "lan0");
  expect("2001:db8:5::1", Kind::local, 128, "lan0");
  expect("2001:db8:77::1", Kind::none);
  io::ip("-6 route add default via 2001:db8:0:1::1");
  io::ip("-6 route add 2001:db8:0:1::7/128 dev lan0");
  io::ip("-6 route add unreachable 2001:db8:6::/48");
  io::ip("-6 route add blackhole 2001:db8:7::/48");
  expect("2001:db8:77::1", Kind::unicast, 0, "up0");
  expect("2001:db8:0:1::7", Kind::unicast, 128, "lan0");
  expect("2001:db8:6::1", Kind::none);
  expect("2001:db8:7::1", Kind::none);
}

TEST_F(KernelRoutesOf, TheTablesThatPolicyRulesSelect) {
  io::ip("-6 route add 2001:db8:8::/48 dev lan0 table 7");
  expect("2001:db8:8::1", Kind::none);
  io::ip("-6 rule add iif up0 lookup 7");
  expect("2001:db8:8::1", Kind::unicast, 48, "lan0");
}

TEST_F(KernelRoutesOf, SeveralNextHopsPreferTheOtherInterface) {
  io::ip("-6 route add 2001:db8:8::/48 nexthop via 2001:db8:0:1::9 nexthop via 2001:db8:5::9");
  expect("2001:db8:8::1", Kind::unicast, 48, "lan0");
  io::ip("-6 route add 2001:db8:9::/48 nexthop via 2001:db8:0:1::9 nexthop via 2001:db8:0:1::8");
  expect("2001:db8:9::1", Kind::unicast, 48, "up0");
}

}  // namespace
}  // namespace culvert::host
