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

}  // namespace
}  // namespace culvert
