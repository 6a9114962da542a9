// The plan that `culvert-bench` makes from its arguments.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bench/e2e/measure.h"
#include "bench/e2e/plan.h"

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

TEST(BenchPlan, RefusesWordsThatMakeNoSense) {
  EXPECT_THAT(refusal_of({.tunnels = {"culvert-sitt"}, .options = {}}),
              AllOf(HasSubstr("--tunnels"), HasSubstr("is 'culvert-sit' meant?")));
  EXPECT_THAT(refusal_of({.tunnels = {"wireguard"}, .options = {}}),
              HasSubstr("must be one of culvert culvert-sit"));
  EXPECT_THAT(refusal_of({.works = {"tcp"}, .options = {}}),
              AllOf(HasSubstr("--work"), HasSubstr("is 'tcp1' meant?")));
  EXPECT_THAT(refusal_of({.modes = {"ipip"}, .options = {}}),
              AllOf(HasSubstr("--mode"), HasSubstr("'ipip'")));
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
