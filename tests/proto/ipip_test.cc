#include "proto/ipip.h"

#include <gtest/gtest.h>

#include "tests/support/packet_matchers.h"

namespace culvert::proto {
namespace {

using namespace culvert::test;

const Drawing kInnerIpv4 = ipv4("10.0.0.1", "10.0.0.2") / udp(1, 2) / payload(11);

TEST(IpipDecapsulate, ReturnsAllThatFollowsTheOuterHeader) {
  // RFC 2003 3
  const Bytes outer = ipv4("192.0.2.1", "192.0.2.2") / kInnerIpv4;
  const auto parsed = parse_ipv4(outer);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->protocol, 4);  // RFC 2003 3.1
  const auto found = Ipip::decapsulate(parsed->payload);
  ASSERT_TRUE(found);
  EXPECT_THAT(found->packet, SameBytes(kInnerIpv4.bytes()));
  EXPECT_EQ(found->protocol_type, kProtocolTypeIpv4);
  EXPECT_FALSE(found->key);
  EXPECT_FALSE(found->sequence);
  EXPECT_FALSE(found->had_checksum);
}

TEST(IpipDecapsulate, RefusesAnEmptyDatagram) {
  EXPECT_THAT(Ipip::decapsulate({}), FailsWith(Malformed::truncated));
}

TEST(IpipEncapsulate, WritesNothing) {
  Bytes untouched = pattern(8);
  Ipip::encapsulate(std::span{untouched}.first(0), {}, 7, PayloadParts{});
  EXPECT_THAT(untouched, SameBytes(pattern(8)));
  EXPECT_EQ(Ipip::overhead_bytes({}), 0u);
}

TEST(Ipip, CarriesIpv4Alone) {
  EXPECT_TRUE(Ipip::carries(kProtocolTypeIpv4));
  EXPECT_FALSE(Ipip::carries(kProtocolTypeIpv6));
}

}  // namespace
}  // namespace culvert::proto
