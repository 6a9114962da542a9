#include "engine/model/token_bucket.h"

#include <gtest/gtest.h>

namespace culvert {
namespace {

using namespace std::chrono_literals;
using Time = TokenBucket::Clock::time_point;

/// How many of `demand` tokens the bucket allows at one time.
int count_allowed(TokenBucket& bucket, const TokenBucket::Rate& rate, Time now, int demand = 1000) {
  int count = 0;
  for (int i = 0; i < demand; ++i) count += bucket.allow(rate, now) ? 1 : 0;
  return count;
}

TEST(TokenBucket, GivesABurstAndThenItsRate) {
  constexpr TokenBucket::Rate kRate{100, 50};
  TokenBucket bucket;
  const Time start = Time{} + 1h;
  EXPECT_EQ(count_allowed(bucket, kRate, start), 50);
  EXPECT_EQ(count_allowed(bucket, kRate, start + 9ms), 0);
  EXPECT_EQ(count_allowed(bucket, kRate, start + 10ms), 1);
  EXPECT_EQ(count_allowed(bucket, kRate, start + 110ms), 10);
  EXPECT_EQ(count_allowed(bucket, kRate, start + 1h), 50)
      << "the burst is the maximum, however long unused";
}

TEST(TokenBucket, WithoutARateHasNoLimit) {
  constexpr TokenBucket::Rate kRate{0, 0};
  TokenBucket bucket;
  EXPECT_EQ(count_allowed(bucket, kRate, Time{} + 1h), 1000);
}

TEST(TokenBucket, PromisesWhatItGives) {
  constexpr TokenBucket::Rate kRate{10, 1};
  TokenBucket bucket;
  const Time start = Time{} + 1h;
  EXPECT_TRUE(bucket.has(kRate, start));
  EXPECT_TRUE(bucket.has(kRate, start)) << "has() spends nothing";
  bucket.spend(kRate, start);
  EXPECT_FALSE(bucket.has(kRate, start));
  EXPECT_TRUE(bucket.has(kRate, start + 100ms));
}

}  // namespace
}  // namespace culvert
