// Which sentences are logged, and which hold.
#include "tools/culvert/daemon/warnings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace culvert::program {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(Warnings, AreLoggedWhenTheyAreNewAndHoldUntilTheCheckFindsThemNoMore) {
  std::vector<std::string> logged;
  const Log log = [&](LogLevel level, std::string_view line) {
    EXPECT_EQ(level, LogLevel::warning);
    logged.emplace_back(line);
  };
  Warnings warnings;
  warnings.set("b", {"one", "two"}, log);
  warnings.set("a", {"three"}, log);
  warnings.set("b", {"two", "four"}, log);
  EXPECT_THAT(logged, ElementsAre("one", "two", "three", "four"));
  EXPECT_THAT(warnings.all(), ElementsAre("three", "two", "four"));
  warnings.set("b", {}, log);
  EXPECT_THAT(warnings.all(), ElementsAre("three"));
  warnings.set("b", {"one"}, log);  // again, after it did not hold
  EXPECT_EQ(logged.size(), 5u);
  warnings.set("a", {}, {});
  warnings.set("b", {}, {});
  EXPECT_THAT(warnings.all(), IsEmpty());
}

}  // namespace
}  // namespace culvert::program
