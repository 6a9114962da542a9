// The plan that `culvert-bench --server` makes from its arguments, and the three formats of its
// report.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "bench/e2e/server/report.h"

namespace culvert::bench::server {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

std::string refusal_of(const Arguments& arguments, const Counts& counts = {}) {
  const auto plan = make_plan(arguments, counts);
  return plan ? "" : plan.error().message();
}

/// Answers of culvert and ndppd, on a machine that becomes faster with each turn.
Report example() {
  Report report;
  report.plan = *make_plan({.works = {"ndp", "add"}, .options = {}}, {.tunnels = 20});
  report.machine = {.kernel = "Linux 6.18", .cpus = 2, .load_average = 0};
  const double speeds[] = {1, 2, 4};
  for (unsigned turn = 1; turn <= 3; ++turn) {
    const double speed = speeds[turn - 1];
    report.samples.push_back({"ndp", "culvert_64_answers_per_second", 1, turn, 250'000 * speed});
    report.samples.push_back({"ndp", "ndppd_64_answers_per_second", 1, turn, 100'000 * speed});
  }
  for (const double lost : {0, 2, 0}) report.samples.push_back({"add", "adding_lost", 1, 1, lost});
  report.failed = {{"storm", {}, "no such section"}};
  return report;
}

const FigureKind& figure_of(std::string_view work, std::string_view name) {
  for (const WorkKind& each : all_works()) {
    for (const FigureKind& figure : each.figures) {
      if (each.name == work && figure.name == name) return figure;
    }
  }
  ADD_FAILURE() << "no figure " << name;
  return all_works().front().figures.front();
}

TEST(ServerPlan, HasAllWorksIfNothingIsSaid) {
  const auto plan = make_plan({}, {});
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->works.size(), all_works().size());
  EXPECT_EQ(plan->counts.tunnels, 10'000U);
  EXPECT_EQ(plan->counts.solicitations, 1'000'000U);
}

TEST(ServerPlan, RefusesWordsThatMakeNoSense) {
  EXPECT_THAT(refusal_of({.works = {"tunnel"}, .options = {}}),
              AllOf(HasSubstr("--work"), HasSubstr("is 'tunnels' meant?")));
  EXPECT_THAT(refusal_of({.options = {}}, {.tunnels = 1}), HasSubstr("--count"));
  EXPECT_THAT(refusal_of({.options = {}}, {.solicitations = 0}), HasSubstr("--solicitations"));
  EXPECT_THAT(refusal_of({.options = {}, .rounds = 0}), HasSubstr("--rounds"));
  EXPECT_THAT(refusal_of({.options = {{"workers", {"1", "2"}}}}), HasSubstr("one value"));
  EXPECT_THAT(refusal_of({.options = {{"workers", {"0"}}}}), HasSubstr("workers"));
}

TEST(ServerFigures, HaveNamesOfTheirOwnAndRatiosOfWhatIsThere) {
  for (const WorkKind& work : all_works()) {
    std::set<std::string_view> names;
    for (const FigureKind& figure : work.figures) {
      EXPECT_TRUE(names.insert(figure.name).second) << figure.name;
      if (figure.over.empty()) continue;
      EXPECT_TRUE(names.contains(figure.over)) << figure.over;
      EXPECT_TRUE(names.contains(figure.under)) << figure.under;
    }
  }
}

TEST(ServerFigures, AskAtLeastOrAtMost) {
  const Target three{Target::Bound::at_least, 3}, none{}, nothing{Target::Bound::at_most, 0};
  EXPECT_TRUE(three.is_met_by(3));
  EXPECT_FALSE(three.is_met_by(2.99));
  EXPECT_TRUE(nothing.is_met_by(0));
  EXPECT_FALSE(nothing.is_met_by(1));
  EXPECT_TRUE(none.is_met_by(-1));
}

// A packet that is lost in one of many turns counts.
TEST(ServerReport, AddsUpWhatWasLost) {
  const Report report = example();
  EXPECT_EQ(value_of(report, report.plan.works[1], figure_of("add", "adding_lost")), 2);
}

// The machine's speed changes from turn to turn, for both responders.
TEST(ServerReport, ComparesTurnsThatFollowedEachOther) {
  const Report report = example();
  const WorkKind& ndp = report.plan.works[0];
  EXPECT_DOUBLE_EQ(*value_of(report, ndp, figure_of("ndp", "ratio_64")), 2.5);
  EXPECT_DOUBLE_EQ(*value_of(report, ndp, figure_of("ndp", "ndppd_64_answers_per_second")),
                   200'000);
  EXPECT_EQ(value_of(report, ndp, figure_of("ndp", "ratio_1")), std::nullopt);
}

TEST(ServerReport, HasWhatIsAskedBesideWhatWasMeasured) {
  const std::string text = to_table(example());
  EXPECT_THAT(text, HasSubstr("64 outstanding: culvert, answers/s   500,000                 \n"));
  EXPECT_THAT(text, HasSubstr("64 outstanding: culvert to ndppd        2.50  at least 3   no\n"));
  EXPECT_THAT(text, HasSubstr("lost of those                               2  at most 0   no\n"));
  EXPECT_THAT(text, HasSubstr("failed: storm: no such section\n"));
  EXPECT_THAT(text, Not(HasSubstr("one at a time")));  // no turn of this figure
  EXPECT_EQ(one_line(example(), example().plan.works[0]), "ndp: ratio_64 2.50 (at least 3)");
}

TEST(ServerReport, IsJson) {
  const json report = json::parse(to_json(example()));
  EXPECT_EQ(report["settings"]["tunnels"], 20);
  ASSERT_EQ(report["samples"].size(), 9U);
  EXPECT_EQ(report["samples"][2]["figure"], "culvert_64_answers_per_second");
  EXPECT_EQ(report["samples"][2]["turn"], 2);
  ASSERT_EQ(report["figures"].size(), 4U);
  EXPECT_EQ(report["figures"][2]["figure"], "ratio_64");
  EXPECT_EQ(report["figures"][2]["at_least"], 3);
  EXPECT_EQ(report["figures"][2]["met"], false);
  EXPECT_FALSE(report["figures"][0].contains("met"));
  EXPECT_EQ(report["failed"][0]["reason"], "no such section");
}

TEST(ServerReport, IsCsv) {
  const std::string text = to_csv(example());
  EXPECT_THAT(text, testing::StartsWith("round,turn,work,figure,value,asked,met\n"));
  EXPECT_THAT(text, HasSubstr("\n1,2,ndp,ndppd_64_answers_per_second,200000.000,,\n"));
  EXPECT_THAT(text, HasSubstr("\nmedian,,ndp,ratio_64,2.500,at least 3,no\n"));
}

}  // namespace
}  // namespace culvert::bench::server
