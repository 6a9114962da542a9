// Host routes of rules with `wire`, with the kernel's routing table as a map.
#include "engine/ndp/ndp_wires.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "tests/support/ndp_rig.h"

namespace culvert {
namespace {

using namespace culvert::test;

constexpr unsigned kLan = 11, kGuest = 12;

/// The kernel's host routes, by target.
class HostRoutes final : public NdpRoutes {
 public:
  struct Route {
    unsigned interface_index = 0;
    std::chrono::seconds lifetime{};

    friend bool operator==(const Route&, const Route&) = default;
  };
  std::map<std::string, Route> routes;
  bool refuses = false;

  NdpRoute find(const proto::Ipv6Address&, unsigned) noexcept override { return {}; }
  bool add_host_route(const proto::Ipv6Address& target, unsigned interface_index,
                      std::chrono::seconds lifetime, bool is_new) noexcept override {
    EXPECT_EQ(is_new, routes.count(target.to_text()) == 0);
    if (refuses) return false;
    routes[target.to_text()] = {interface_index, lifetime};
    return true;
  }
  void remove_host_route(const proto::Ipv6Address& target,
                         unsigned interface_index) noexcept override {
    EXPECT_EQ(routes[target.to_text()].interface_index, interface_index);
    routes.erase(target.to_text());
  }
};

class NdpWire : public ::testing::Test {
 protected:
  static NdpConfig config() {
    NdpConfig config = config_with(NdpAnswer::probe);
    config.rules[0].interfaces = {"br-lan", "br-guest"};
    config.rules[0].wire = true;
    return config;
  }
  NdpWire() { rig_.set_rule_interfaces({{"br-lan", kLan}, {"br-guest", kGuest}}); }
  /// A host answers its probe on an interface.
  void find(std::string_view target, unsigned interface_index) {
    rig_.receive(routers_solicitation(target));
    rig_.echo(target, interface_index);
  }
  /// Runs `span` of time; a host that answers does so on this interface. 0: nobody answers.
  void run(std::chrono::milliseconds span, unsigned answered_on) {
    for (const Time end = rig_.now + span; rig_.now < end; rig_.now += 100ms) {
      rig_.expire();
      if (answered_on != 0)
        for (const std::string& target : rig_.probed()) rig_.echo(target, answered_on);
    }
  }
  /// Whether the totals are these.
  void expect_totals(unsigned added, unsigned removed, unsigned refused) {
    const auto totals = rig_.responder().counters().totals();
    EXPECT_EQ(totals.routes_added, added);
    EXPECT_EQ(totals.routes_removed, removed);
    EXPECT_EQ(totals.routes_refused, refused);
  }
  HostRoutes kernel_;
  NdpRig rig_{config(), {}, &kernel_};
};

TEST_F(NdpWire, IsARouteToWhereTheHostAnswered) {
  find(kTarget, kGuest);
  // It outlives the time in which the host is probed again (30 s, 3 tries of 0.5 s) by 5 s.
  EXPECT_EQ(kernel_.routes.at(kTarget), (HostRoutes::Route{kGuest, 37s}));
  ASSERT_EQ(rig_.responder().wires().size(), 1u);
  EXPECT_EQ(rig_.responder().wires()[0].target, address6(kTarget));
  expect_totals(1, 0, 0);
}

TEST_F(NdpWire, IsRenewedWithoutASolicitation) {
  find(kTarget, kLan);
  const auto tries = [&] { return rig_.responder().counters().totals().probes_answered; };
  run(14s, kLan);
  EXPECT_EQ(tries(), 1u);
  run(47s, kLan);
  EXPECT_EQ(tries(), 5u) << "every 15 s";
  EXPECT_EQ(kernel_.routes.size(), 1u);
  expect_totals(1, 0, 0);
}

TEST_F(NdpWire, EndsWhenTheHostIsGone) {
  find(kTarget, kLan);
  find("2001:db8:0:1::3", kLan);
  run(17s, 0);
  EXPECT_TRUE(kernel_.routes.empty());
  EXPECT_TRUE(rig_.responder().wires().empty());
  EXPECT_EQ(rig_.responder().next_due(), Time::max());
  expect_totals(2, 2, 0);
}

TEST_F(NdpWire, MovesWithTheHost) {
  find(kTarget, kLan);
  run(16s, kGuest);
  EXPECT_EQ(kernel_.routes.at(kTarget).interface_index, kGuest);
  expect_totals(2, 1, 0);
}

TEST_F(NdpWire, EndsWithItsRuleOrItsInterface) {
  find(kTarget, kLan);
  find("2001:db8:0:1::3", kGuest);
  rig_.set_rule_interfaces({{"br-lan", kLan}, {"br-guest", 0}});
  EXPECT_EQ(kernel_.routes.size(), 1u);
  NdpRules none;
  rig_.responder().set_rules(none);
  EXPECT_TRUE(kernel_.routes.empty());
  expect_totals(2, 2, 0);
}

TEST_F(NdpWire, MayBeRefusedAndTheHostIsAnsweredFor) {
  kernel_.refuses = true;
  rig_.receive(routers_solicitation());
  EXPECT_EQ(rig_.echo(kTarget, kLan).size(), 1u);
  EXPECT_TRUE(rig_.responder().wires().empty());
  expect_totals(0, 0, 1);
}

TEST_F(NdpWire, HasALimit) {
  for (unsigned i = 0; i <= kMaxNdpWired; ++i) {
    rig_.now += 10ms;
    find("2001:db8:0:1::1:" + std::to_string(i), kLan);
  }
  EXPECT_EQ(kernel_.routes.size(), kMaxNdpWired);
  expect_totals(kMaxNdpWired, 0, 1);
  rig_.responder().unwire();
  EXPECT_TRUE(kernel_.routes.empty());
}

TEST(NdpWires, NeedARuleWithWire) {
  NdpConfig config = config_with(NdpAnswer::probe);
  config.rules[0].interfaces = {"br-lan"};
  HostRoutes kernel;
  NdpRig rig{config, {}, &kernel};
  rig.set_rule_interfaces({{"br-lan", kLan}});
  rig.receive(routers_solicitation());
  EXPECT_EQ(rig.echo(kTarget, kLan).size(), 1u);
  EXPECT_TRUE(kernel.routes.empty());
}

}  // namespace
}  // namespace culvert
