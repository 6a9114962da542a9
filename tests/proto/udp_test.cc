#include "proto/udp.h"

#include <gtest/gtest.h>

#include "tests/support/packet_matchers.h"

namespace culvert::proto {
namespace {

using namespace culvert::test;

TEST(UdpParse, ReadsEveryField) {
  const auto parsed = parse_udp(hex("0035 d431 000c 1234 deadbeef 99"));
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->source_port, 53);
  EXPECT_EQ(parsed->destination_port, 54321);
  EXPECT_EQ(parsed->length_bytes, 12);
  EXPECT_TRUE(parsed->has_checksum);
}

TEST(UdpParse, TellsAMissingChecksum) {
  // RFC 768: an all-zero checksum means that none was sent.
  EXPECT_FALSE(parse_udp(hex("0035 d431 0008 0000"))->has_checksum);
}

TEST(UdpParse, RefusesEveryTruncation) {
  const Bytes datagram = udp(1, 2) / payload(4);
  for (std::size_t size = 0; size < datagram.size(); ++size)
    EXPECT_THAT(parse_udp(std::span{datagram}.first(size)), FailsWith(Malformed::truncated));
}

TEST(UdpParse, RefusesLengthsBelowTheHeader) {
  // 0 would be a jumbogram (RFC 2675 4), which no tunnel here carries.
  for (std::uint16_t length = 0; length < 8; ++length)
    EXPECT_THAT(parse_udp((udp(1, 2, {.length_bytes = length}) / payload(4)).bytes()),
                FailsWith(Malformed::bad_header_length));
}

}  // namespace
}  // namespace culvert::proto
