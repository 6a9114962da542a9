// What the kernel's route to a target says, beside the tunnels' prefixes.
#include "engine/ndp/ndp_rules.h"

#include <gtest/gtest.h>

#include <map>

#include "tests/support/ndp_rig.h"

namespace culvert {
namespace {

using namespace culvert::test;
using Kind = NdpRoute::Kind;

constexpr unsigned kOther = 9;

/// Routes of a table, by target.
class FixedRoutes final : public NdpRoutes {
 public:
  std::map<std::string, NdpRoute> routes;
  NdpRoute find(const proto::Ipv6Address& target, unsigned asking_index) noexcept override {
    EXPECT_EQ(asking_index, kIndex);
    const auto found = routes.find(target.to_text());
    return found == routes.end() ? NdpRoute{} : found->second;
  }
  bool add_host_route(const proto::Ipv6Address&, unsigned, std::chrono::seconds,
                      bool) noexcept override {
    return false;
  }
  void remove_host_route(const proto::Ipv6Address&, unsigned) noexcept override {}
};

class NdpRouteOf : public ::testing::Test {
 protected:
  /// Answered: none; else the reason.
  NdpIgnored ask(NdpRoute route, std::vector<NdpTunnelPrefix> tunnels = {},
                 NdpAnswer answer = NdpAnswer::automatic) {
    routes_.routes = {{kTarget, route}};
    NdpRig rig{config_with(answer), std::move(tunnels), &routes_};
    const bool is_answered = !rig.receive(routers_solicitation()).empty() || !rig.probed().empty();
    const auto totals = rig.responder().counters().totals();
    for (std::size_t i = 1; i < kNdpIgnoredCount; ++i) {
      if (totals.ignored[i] == 0) continue;
      EXPECT_FALSE(is_answered);
      return NdpIgnored(i);
    }
    EXPECT_TRUE(is_answered);
    return NdpIgnored::none;
  }
  FixedRoutes routes_;
};

TEST_F(NdpRouteOf, AnotherInterfaceIsAnswered) {
  EXPECT_EQ(ask({Kind::unicast, 64, kOther}), NdpIgnored::none);
  EXPECT_EQ(ask({Kind::unicast, 1, kOther}), NdpIgnored::none);
  EXPECT_EQ(ask({Kind::local, 128, 1}), NdpIgnored::none);  // an address of another interface
}

TEST_F(NdpRouteOf, TheAskingLinkIsNot) {
  EXPECT_EQ(ask({Kind::unicast, 64, kIndex}), NdpIgnored::route_on_link);
  EXPECT_EQ(
      ask({Kind::unicast, 128, kIndex}, {{prefix6("2001:db8:0:1::/65"), true, kTunnelDevice}}),
      NdpIgnored::route_on_link);
}

TEST_F(NdpRouteOf, DefaultRoutesDoNotCount) {
  EXPECT_EQ(ask({Kind::unicast, 0, kOther}), NdpIgnored::no_route);
  EXPECT_EQ(ask({Kind::unicast, 0, kIndex}), NdpIgnored::no_route);
  EXPECT_EQ(ask({Kind::unicast, 0, kTunnelDevice}, {{{}, true, kTunnelDevice}}),
            NdpIgnored::no_route);
}

TEST_F(NdpRouteOf, NoneOrAnUnreachableOneIsNotAnswered) {
  EXPECT_EQ(ask({}), NdpIgnored::no_route);
  EXPECT_EQ(ask({}, {{prefix6("2001:db8:0:1::2/128"), true, kTunnelDevice}}), NdpIgnored::no_route)
      << "the device's routes were removed";
}

TEST_F(NdpRouteOf, ATunnelIsAsTheTunnelSays) {
  const NdpRoute to_tunnel{Kind::unicast, 48, kTunnelDevice};
  EXPECT_EQ(ask(to_tunnel, {{prefix6("2001:db8:0:1::2/128"), true, kTunnelDevice}}),
            NdpIgnored::none);
  EXPECT_EQ(ask(to_tunnel, {{prefix6("2001:db8:0:1::2/128"), false, kTunnelDevice}}),
            NdpIgnored::tunnel_down);
  EXPECT_EQ(ask(to_tunnel, {{prefix6("2001:db8:0:1::3/128"), true, kTunnelDevice}}),
            NdpIgnored::no_tunnel);
  EXPECT_EQ(ask(to_tunnel, {{{}, true, kTunnelDevice}}), NdpIgnored::none);
  // The route ::/0 of the device covers the prefix of the tunnel.
  EXPECT_EQ(
      ask({Kind::unicast, 0, kTunnelDevice}, {{prefix6("2001:db8::/48"), true, kTunnelDevice}}),
      NdpIgnored::none);
}

TEST_F(NdpRouteOf, ProbesAreNotSentToTheAskingLinkOrTheWorld) {
  EXPECT_EQ(ask({Kind::unicast, 64, kOther}, {}, NdpAnswer::probe), NdpIgnored::none);
  EXPECT_EQ(ask({Kind::unicast, 64, kIndex}, {}, NdpAnswer::probe), NdpIgnored::route_on_link);
  EXPECT_EQ(ask({Kind::unicast, 0, kOther}, {}, NdpAnswer::probe), NdpIgnored::no_route);
}

TEST_F(NdpRouteOf, StaticDoesNotAsk) {
  EXPECT_EQ(ask({}, {}, NdpAnswer::always), NdpIgnored::none);
}

TEST_F(NdpRouteOf, IsAskedForAtMostSoOftenASecond) {
  NdpRig rig{config_with(NdpAnswer::automatic), {}, &routes_};
  constexpr auto kMany = NdpResponder::kLookUpsPerSecond;
  for (std::uint32_t i = 0; i < kMany + 10; ++i) rig.receive(routers_solicitation());
  const auto ignored = rig.responder().counters().totals().ignored;
  EXPECT_EQ(ignored[std::size_t(NdpIgnored::no_route)], kMany);
  EXPECT_EQ(ignored[std::size_t(NdpIgnored::rate_limited)], 10u);
  rig.expect_balance();
}

// ---- rules that name the interfaces of their hosts ----------------------------------------------

/// The kernel's route leads to the asking link.
class NdpRuleInterfaces : public ::testing::Test {
 protected:
  static constexpr unsigned kLan = 11, kGuest = 12;
  static NdpConfig config() {
    NdpConfig config = config_with(NdpAnswer::probe);
    config.rules[0].interfaces = {"br-lan", "br-guest"};
    return config;
  }
  NdpRuleInterfaces() { routes_.routes = {{kTarget, {Kind::unicast, 64, kIndex}}}; }
  FixedRoutes routes_;
  NdpRig rig_{config(), {}, &routes_};
};

TEST_F(NdpRuleInterfaces, AreProbedAndNothingElse) {
  rig_.set_rule_interfaces({{"br-lan", kLan}, {"br-guest", kGuest}});
  EXPECT_THAT(rig_.receive(routers_solicitation()), IsEmpty());
  EXPECT_THAT(rig_.probed_on(), ElementsAre(kLan, kGuest));
  rig_.now += config().probe.timeout;
  rig_.expire();
  EXPECT_THAT(rig_.probed_on(), ElementsAre(kLan, kGuest));
  EXPECT_EQ(rig_.echo(kTarget, kGuest).size(), 1u);
}

TEST_F(NdpRuleInterfaces, AreBelievedAndNoOthers) {
  rig_.set_rule_interfaces({{"br-lan", kLan}, {"br-guest", kGuest}});
  rig_.receive(routers_solicitation());
  EXPECT_THAT(rig_.echo(kTarget, kOther), IsEmpty());
  EXPECT_THAT(rig_.echo(kTarget, kIndex), IsEmpty());
  EXPECT_EQ(rig_.echo(kTarget, kLan).size(), 1u);
  rig_.expect_ignored(NdpIgnored::none, 0);
}

TEST_F(NdpRuleInterfaces, MayNotBeThereYet) {
  EXPECT_THAT(rig_.receive(routers_solicitation()), IsEmpty());
  rig_.set_rule_interfaces({{"br-lan", 0}, {"br-guest", 0}});
  EXPECT_THAT(rig_.receive(routers_solicitation()), IsEmpty());
  EXPECT_THAT(rig_.probed(), IsEmpty());
  rig_.expect_ignored(NdpIgnored::probe_interface_missing, 2);
  rig_.set_rule_interfaces({{"br-lan", 0}, {"br-guest", kGuest}});
  rig_.receive(routers_solicitation());
  EXPECT_THAT(rig_.probed_on(), ElementsAre(kGuest));
}

TEST_F(NdpRuleInterfaces, AreNotProbedForAnAddressOfThisHost) {
  rig_.set_rule_interfaces({{"br-lan", kLan}});
  routes_.routes[kTarget] = {Kind::local, 128, 1};
  EXPECT_EQ(rig_.receive(routers_solicitation()).size(), 1u);
  EXPECT_THAT(rig_.probed(), IsEmpty());
}

TEST(NdpTargets, AreThoseOfTunnelsAndOfTheKernelsRoutes) {
  const NdpConfig config = config_with(NdpAnswer::automatic);
  const std::vector leading{prefix6("2001:db8:0:1::8/127"), prefix6("2001:db8:0:1::2/128"),
                            prefix6("2001:db8:7::1/128")};
  const auto targets = ndp_targets(config, leading, 4);
  EXPECT_THAT(targets.addresses, ElementsAre(address6(kTarget), address6("2001:db8:0:1::8"),
                                             address6("2001:db8:0:1::9")));
  const NdpRules rules{
      config, std::vector<NdpTunnelPrefix>{{prefix6("2001:db8:0:1::2/128"), false}}, leading};
  EXPECT_TRUE(rules.may_answer(address6("2001:db8:0:1::9")));
  EXPECT_FALSE(rules.may_answer(address6("2001:db8:0:1::a")));
}

TEST(NdpBypassPrefixes, AreTheRulesWithoutWhatIsExceptedAndTheKernels) {
  NdpConfig config;
  config.rules = {
      {.prefix = prefix6("2001:db8:0:1::/64"), .except = {prefix6("2001:db8:0:1:e::/80")}},
      {.prefix = prefix6("2001:db8:0:1:e::5/128")},
      {.prefix = prefix6("2001:db8:0:1:f::5/128")}};
  config.except = {prefix6("2001:db8:0:1:f::/80")};
  NdpInterface interface;
  interface.own = {address6("fe80::1"), address6("2001:db8:0:1::2")};
  interface.on_link = {prefix6("2001:db8:0:1::/80")};
  const std::map<proto::Ipv6Prefix, bool> expected{
      {prefix6("2001:db8:0:1::/64"), true},     {prefix6("2001:db8:0:1:e::/80"), false},
      {prefix6("2001:db8:0:1:e::5/128"), true}, {prefix6("2001:db8:0:1:f::/80"), false},
      {prefix6("fe80::1/128"), false},          {prefix6("2001:db8:0:1::2/128"), false},
      {prefix6("2001:db8:0:1::/128"), false}};
  EXPECT_EQ(ndp_bypass_prefixes(config, interface), expected);
}

}  // namespace
}  // namespace culvert
