// The plan that `culvert-bench` makes from its arguments.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bench/e2e/measure.h"
#include "bench/e2e/plan.h"
#include "engine/model/encapsulation_names.h"

namespace culvert::bench {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::string> names_of(const Plan& plan) {
  std::vector<std::string> names;
  for (const TunnelPlan& tunnel : plan.tunnels) names.push_back(tunnel.name);
  return names;
}

std::string refusal_of(const Arguments& arguments) {
  const auto plan = make_plan(arguments);
  return plan ? "" : plan.error().message();
}

TEST(BenchPlan, MeasuresEverythingIfNothingIsSaid) {
  const auto plan = make_plan({});
  ASSERT_TRUE(plan);
  EXPECT_THAT(names_of(*plan), ElementsAre("culvert-sit", "culvert-gre", "single", "socat", "vxlan",
                                           "kernel-sit", "kernel-gre"));
  EXPECT_EQ(plan->works.size(), all_works().size());
}

TEST(BenchPlan, TakesTunnelsAndWorksInTheOrderGiven) {
  const auto plan = make_plan(
      {.tunnels = {"socat", "bare", "culvert-gre"}, .works = {"udp512", "tcp1"}, .options = {}});
  ASSERT_TRUE(plan);
  EXPECT_THAT(names_of(*plan), ElementsAre("socat", "bare", "culvert-gre"));
  EXPECT_EQ(plan->works[0].payload_bytes, 512U);
  EXPECT_EQ(plan->works[1].kind, Work::Kind::tcp);
}

TEST(BenchPlan, MakesATunnelOfEachCombinationOfValues) {
  const auto plan = make_plan(
      {.tunnels = {"culvert", "single"},
       .modes = {"gre"},
       .options = {{"io", {"epoll"}}, {"receive", {"raw", "packet"}}, {"workers", {"1", "2"}}}});
  ASSERT_TRUE(plan);
  EXPECT_THAT(names_of(*plan),
              ElementsAre("culvert-gre/receive=raw/workers=1", "culvert-gre/receive=raw/workers=2",
                          "culvert-gre/receive=packet/workers=1",
                          "culvert-gre/receive=packet/workers=2", "single"));
  ASSERT_EQ(plan->tunnels[1].options.size(), 3U);
  EXPECT_EQ(plan->tunnels[1].options[0].name, "io");
  EXPECT_EQ(plan->tunnels[1].options[0].value, "epoll");
  EXPECT_EQ(plan->tunnels[1].options[2].value, "2");
}

/// The IP version inside all tunnels of a plan, "IPv6" or "IPv4".
std::string_view inner_version_of(const Plan& plan) {
  const std::uint16_t type = plan.tunnels.front().inner.protocol_type();
  for (const TunnelPlan& tunnel : plan.tunnels) EXPECT_EQ(tunnel.inner.protocol_type(), type);
  return ip_version_name(type);
}

TEST(BenchPlan, CarriesIpv6InAllTunnelsIfAllCan) {
  const auto plan =
      make_plan({.tunnels = {"culvert", "bare", "kernel"}, .modes = {"any", "gre"}, .options = {}});
  ASSERT_TRUE(plan);
  EXPECT_EQ(inner_version_of(*plan), "IPv6");
  EXPECT_THAT(names_of(*plan),
              ElementsAre("culvert-any", "culvert-gre", "bare", "kernel-sit", "kernel-gre"));
}

TEST(BenchPlan, CarriesIpv4InAllTunnelsIfOneCarriesNoIpv6) {
  const auto plan = make_plan({.modes = {"ipip", "gre"}, .options = {}});
  ASSERT_TRUE(plan);
  EXPECT_EQ(inner_version_of(*plan), "IPv4");
  EXPECT_THAT(names_of(*plan), ElementsAre("culvert-ipip", "culvert-gre", "single", "socat",
                                           "vxlan", "kernel-ipip", "kernel-gre"));
  EXPECT_THAT(culvert_arguments(plan->tunnels.front(), 1),
              ElementsAre("mode", "ipip", "remote", "192.0.2.1", "local", "192.0.2.2", "ttl", "64",
                          "address", "10.0.0.2/24"));
}

TEST(BenchPlan, RefusesTunnelsThatShareNoIpVersion) {
  const auto refused =
      AllOf(HasSubstr("does not carry IPv6"), HasSubstr("sit does not carry IPv4"));
  EXPECT_THAT(refusal_of({.modes = {"sit", "ipip"}, .options = {}}), refused);
  EXPECT_THAT(refusal_of({.tunnels = {"kernel-ipip", "culvert-sit"}, .options = {}}), refused);
  EXPECT_THAT(refusal_of({.tunnels = {"culvert-ipip", "bare"}, .options = {}}),
              HasSubstr("bare does not carry IPv4"));
}

TEST(BenchPlan, RefusesWordsThatMakeNoSense) {
  EXPECT_THAT(refusal_of({.tunnels = {"culvert-sitt"}, .options = {}}),
              AllOf(HasSubstr("--tunnels"), HasSubstr("is 'culvert-sit' meant?")));
  EXPECT_THAT(refusal_of({.tunnels = {"wireguard"}, .options = {}}),
              HasSubstr("must be one of culvert culvert-sit"));
  EXPECT_THAT(refusal_of({.works = {"tcp"}, .options = {}}),
              AllOf(HasSubstr("--work"), HasSubstr("is 'tcp1' meant?")));
  EXPECT_THAT(refusal_of({.modes = {"ipipp"}, .options = {}}),
              AllOf(HasSubstr("--mode"), HasSubstr("is 'ipip' meant?")));
  EXPECT_THAT(refusal_of({.options = {}, .rounds = 0}), HasSubstr("--rounds"));
  EXPECT_THAT(refusal_of({.options = {}, .seconds = 0}), HasSubstr("--seconds"));
  EXPECT_THAT(refusal_of({.tunnels = {"socat", "socat"}, .options = {}}), HasSubstr("twice"));
}

TEST(BenchPlan, RefusesWhatCulvertRunWouldRefuse) {
  EXPECT_THAT(refusal_of({.options = {{"io", {"auto", "uringg"}}}}), HasSubstr("uringg"));
  EXPECT_THAT(refusal_of({.options = {{"workers", {"0"}}}}), HasSubstr("workers"));
}

TEST(BenchPlan, CutsSecondsIntoShortTurns) {
  const auto plan = make_plan({.works = {"tcp1", "latency"}, .options = {}});
  ASSERT_TRUE(plan);
  EXPECT_EQ(turns_of(plan->works[0], std::chrono::seconds{3}), 3U);
  EXPECT_EQ(turns_of(plan->works[1], std::chrono::seconds{3}), 6U);
}

}  // namespace
}  // namespace culvert::bench
