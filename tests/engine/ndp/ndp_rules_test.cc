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

}  // namespace
}  // namespace culvert
