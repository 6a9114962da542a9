#include "engine/host/kernel_routes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdio>
#include <string>
#include <thread>

#include "tests/io/rig.h"

namespace culvert::host {
namespace {

using Kind = NdpRoute::Kind;
using testing::HasSubstr;

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
    auto opened = KernelRoutes::open(std::make_shared<HostRouteClaim>());
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
  std::unique_ptr<KernelRoutes> routes_;
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

/// The kernel does not mark a list from which routes are missing because others changed meanwhile.
TEST_F(KernelRoutesOf, AListThatOthersChangeMeanwhileIsNotComplete) {
  auto netlink = netlink::Netlink::open();
  ASSERT_TRUE(netlink);
  const auto is_complete = [&] {
    return find_kernel_routes(*netlink, ::if_nametoindex("up0"), {}, {})->is_complete;
  };
  std::atomic<bool> ends{false};
  std::thread busy{[&, index = ::if_nametoindex("lan0")] {
    auto other = netlink::Netlink::open();
    const auto route = *proto::Ipv6Prefix::from_text("2001:db8:77::/48");
    while (!ends) {
      EXPECT_TRUE(other->add_route(index, route));
      EXPECT_TRUE(other->remove_route(index, route));
    }
  }};
  bool was_incomplete = false;
  for (int i = 0; !was_incomplete && i < 1'000; ++i) was_incomplete = !is_complete();
  ends = true;
  busy.join();
  EXPECT_TRUE(was_incomplete);
  EXPECT_TRUE(is_complete());
}

// ---- routes to single hosts ---------------------------------------------------------------------

class HostRoutesOf : public KernelRoutesOf {
 protected:
  static proto::Ipv6Address host(const char* text) {
    return proto::Ipv6Address::from_text(text).value();
  }
  bool add(const char* target, const char* interface, bool is_new = true,
           std::chrono::seconds lifetime = std::chrono::seconds{60}) {
    return routes_->add_host_route(host(target), ::if_nametoindex(interface), lifetime, is_new);
  }
  /// What `ip -6 route show` says of them.
  static std::string shown(const std::string& words = "proto 141") {
    std::string text;
    FILE* const command = ::popen(("ip -6 route show " + words).c_str(), "r");
    for (int c = std::fgetc(command); c != EOF; c = std::fgetc(command))
      text += static_cast<char>(c);
    ::pclose(command);
    return text;
  }
};

TEST_F(HostRoutesOf, AreAddedRenewedAndRemoved) {
  EXPECT_TRUE(add("2001:db8:0:1::7", "lan0"));
  expect("2001:db8:0:1::7", Kind::unicast, 128, "lan0");
  EXPECT_THAT(shown(), HasSubstr("2001:db8:0:1::7 dev lan0 metric 1024 expires"));
  EXPECT_TRUE(add("2001:db8:0:1::7", "lan0", false, std::chrono::seconds{900}));
  EXPECT_THAT(shown(), testing::ContainsRegex("expires (900|89[0-9])sec"));
  routes_->remove_host_route(host("2001:db8:0:1::7"), ::if_nametoindex("lan0"));
  expect("2001:db8:0:1::7", Kind::unicast, 64, "up0");
  routes_->remove_host_route(host("2001:db8:0:1::7"), ::if_nametoindex("lan0"));
  EXPECT_FALSE(add("2001:db8:0:1::7", "no0"));
}

TEST_F(HostRoutesOf, EndByThemselves) {
  EXPECT_TRUE(add("2001:db8:0:1::7", "lan0", true, std::chrono::seconds{1}));
  const auto is_over = [&] {
    return routes_->find(host("2001:db8:0:1::7"), ::if_nametoindex("up0")).length_bits == 64;
  };
  for (int i = 0; i < 300 && !is_over(); ++i) ::usleep(10'000);
  EXPECT_TRUE(is_over());
}

TEST_F(HostRoutesOf, ReplaceAndRemoveNoneOfOthers) {
  io::ip("-6 route add 2001:db8:0:1::7/128 dev far1 proto static");
  io::ip("-6 route add 2001:db8:0:1::8/128 dev lan0 proto static");
  EXPECT_FALSE(add("2001:db8:0:1::7", "lan0"));
  EXPECT_TRUE(add("2001:db8:0:1::8", "lan0")) << "the same route is as good";
  routes_->remove_host_route(host("2001:db8:0:1::7"), ::if_nametoindex("far1"));
  routes_->remove_host_route(host("2001:db8:0:1::8"), ::if_nametoindex("lan0"));
  EXPECT_THAT(shown("proto static"), AllOf(HasSubstr("::7 dev far1"), HasSubstr("::8 dev lan0")));
}

TEST_F(HostRoutesOf, AreFoundAfterACrash) {
  EXPECT_TRUE(add("2001:db8:0:1::7", "lan0"));
  io::ip("-6 route add 2001:db8:0:1::8/128 dev lan0 proto static");
  io::ip("-6 route add 2001:db8:0:1:1::/80 dev lan0 proto 141");
  EXPECT_EQ(routes_->claim_host_routes(), 0u) << "they are our own";
  routes_.reset();  // they stay, as after SIGKILL
  auto next = KernelRoutes::open(std::make_shared<HostRouteClaim>());
  ASSERT_TRUE(next);
  EXPECT_EQ((*next)->claim_host_routes(), 1u);
  EXPECT_THAT(shown(), AllOf(HasSubstr("2001:db8:0:1:1::/80"), Not(HasSubstr("2001:db8:0:1::7"))));
  EXPECT_THAT(shown("proto static"), HasSubstr("2001:db8:0:1::8"));
}

TEST_F(HostRoutesOf, BelongToOneProcess) {
  auto beside = KernelRoutes::open(std::make_shared<HostRouteClaim>());  // of another process
  ASSERT_TRUE(beside);
  EXPECT_TRUE(add("2001:db8:0:1::7", "lan0"));
  EXPECT_EQ((*beside)->claim_host_routes(), 0u) << "the owner of the route lives";
  const unsigned lan = ::if_nametoindex("lan0");
  EXPECT_TRUE(
      (*beside)->add_host_route(host("2001:db8:0:1::7"), lan, std::chrono::seconds{60}, true));
  EXPECT_THAT(shown(), AllOf(HasSubstr("metric 1024"), HasSubstr("metric 1025")));
  (*beside)->remove_host_route(host("2001:db8:0:1::7"), lan);
  EXPECT_THAT(shown(), AllOf(HasSubstr("metric 1024"), Not(HasSubstr("metric 1025"))));
}

// ---- several next hops --------------------------------------------------------------------------

TEST_F(KernelRoutesOf, SeveralNextHopsPreferTheOtherInterface) {
  io::ip("-6 route add 2001:db8:8::/48 nexthop via 2001:db8:0:1::9 nexthop via 2001:db8:5::9");
  expect("2001:db8:8::1", Kind::unicast, 48, "lan0");
  io::ip("-6 route add 2001:db8:9::/48 nexthop via 2001:db8:0:1::9 nexthop via 2001:db8:0:1::8");
  expect("2001:db8:9::1", Kind::unicast, 48, "up0");
}

}  // namespace
}  // namespace culvert::host
