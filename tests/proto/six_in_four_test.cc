#include "proto/six_in_four.h"

#include <gtest/gtest.h>

#include "tests/support/packet_matchers.h"

namespace culvert::proto {
namespace {

using namespace culvert::test;

const Drawing kInner = ipv6("2001:db8::1", "2001:db8::2") / udp(1, 2) / payload(11);

TEST(SixInFourDecapsulate, TakesAllThatFollowsTheOuterHeader) {
  // RFC 4213 3.5
  const Bytes outer = ipv4("192.0.2.1", "192.0.2.2") / kInner;
  const auto parsed = parse_ipv4(outer);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->protocol, 41);
  const auto found = SixInFour::decapsulate(parsed->payload);
  ASSERT_TRUE(found);
  EXPECT_THAT(found->packet, SameBytes(kInner.bytes()));
  EXPECT_EQ(found->protocol_type, kProtocolTypeIpv6);
  EXPECT_FALSE(found->key);
  EXPECT_FALSE(found->sequence);
  EXPECT_FALSE(found->had_checksum);
}

TEST(SixInFourDecapsulate, RefusesNothing) {
  EXPECT_THAT(SixInFour::decapsulate({}), FailsWith(Malformed::truncated));
}

TEST(SixInFourEncapsulate, WritesNothing) {
  Bytes untouched = pattern(8);
  SixInFour::encapsulate(std::span{untouched}.first(0), {}, 7, PayloadParts{});
  EXPECT_THAT(untouched, SameBytes(pattern(8)));
  EXPECT_EQ(SixInFour::overhead_bytes({}), 0u);
}

TEST(SixInFour, CarriesIpv6Alone) {
  EXPECT_TRUE(SixInFour::carries(kProtocolTypeIpv6));
  EXPECT_FALSE(SixInFour::carries(kProtocolTypeIpv4));
}

}  // namespace
}  // namespace culvert::proto
