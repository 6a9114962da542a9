#include "engine/model/quoted.h"

#include <gtest/gtest.h>

#include <vector>

namespace culvert {
namespace {

using namespace std::string_view_literals;

TEST(Quoted, MakesOneLineOfAnyText) {
  EXPECT_EQ(printable("a\nb\x7f"
                      "c"),
            "a?b?c");
  EXPECT_EQ(printable("abcdef", 3), "abc...");
  EXPECT_EQ(printable("abc", 3), "abc");
  EXPECT_EQ(quoted("a\tb"), "'a?b'");
}

TEST(Alternatives, HaveOrBeforeTheLast) {
  EXPECT_EQ(alternatives({}), "");
  EXPECT_EQ(alternatives(std::vector{"sit"sv}), "sit");
  EXPECT_EQ(alternatives(std::vector{"sit"sv, "gre"sv}), "sit or gre");
  EXPECT_EQ(alternatives(std::vector{"sit"sv, "gre"sv, "gue"sv}), "sit, gre or gue");
}

TEST(Shortened, SaysHowManyWordsItLeavesOut) {
  const std::vector<std::string> words{"a", "b", "c"};
  EXPECT_EQ(shortened({}, 2), "");
  EXPECT_EQ(shortened(words, 3), "a, b, c");
  EXPECT_EQ(shortened(words, 1), "a and 2 more");
}

}  // namespace
}  // namespace culvert
