#include "io/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>

namespace culvert::io {
namespace {

TEST(Random, FillsAllBytesAnewEachTime) {
  std::array<std::byte, 256> first{}, second{};
  ASSERT_TRUE(fill_random(first, "a test"));
  ASSERT_TRUE(fill_random(second, "a test"));
  EXPECT_NE(first, second);
  // Bytes that stay 0 would be a run of zeros. 8 random bytes are one once in 2^56 runs.
  const auto zeros = std::array<std::byte, 8>{};
  EXPECT_EQ(std::search(first.begin(), first.end(), zeros.begin(), zeros.end()), first.end());
}

}  // namespace
}  // namespace culvert::io
