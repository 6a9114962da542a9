#include "proto/tcp.h"

#include <gtest/gtest.h>

#include "proto/ipv6.h"
#include "tests/support/packet_matchers.h"

namespace culvert::proto {
namespace {

using namespace culvert::test;

TEST(TcpParse, ReadsEveryField) {
  const Bytes segment =
      hex("0050 d431 01020304 a1a2a3a4"  // ports, sequence, acknowledgment
          "60 d8 1234 0000 0000"         // 24 bytes of header; CWR ECE ACK PSH
          "01010100 ff");
  const auto parsed = parse_tcp(segment);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->source_port, 80);
  EXPECT_EQ(parsed->destination_port, 54321);
  EXPECT_EQ(parsed->sequence, 0x01020304u);
  EXPECT_EQ(parsed->acknowledgment, 0xa1a2a3a4u);
  EXPECT_EQ(parsed->header_bytes, 24);
  EXPECT_EQ(parsed->flags, kTcpCwr | kTcpEce | kTcpAck | kTcpPsh);
  EXPECT_EQ(parsed->window, 0x1234);
  EXPECT_THAT(parsed->options, SameBytes(hex("01010100")));
}

TEST(TcpParse, RefusesWhatHasNoWholeHeader) {
  const Bytes segment = tcp(1, 2);
  for (std::size_t size = 0; size < 20; ++size)
    EXPECT_THAT(parse_tcp(std::span{segment}.first(size)), FailsWith(Malformed::truncated));
}

TEST(TcpParse, RefusesDataOffsetsThatCannotBe) {
  for (unsigned words = 0; words < 16; ++words) {
    Bytes segment(24);
    segment[12] = static_cast<std::byte>(words << 4);
    const bool fits = words == 5 || words == 6;
    if (fits) {
      EXPECT_TRUE(parse_tcp(segment));
    } else {
      EXPECT_THAT(parse_tcp(segment), FailsWith(Malformed::bad_header_length));
    }
  }
}

// A SYN in IPv6, so that the test can verify its checksum, and the segment in it.
Bytes syn(const char* options, std::uint8_t flags = kTcpSyn, bool is_partial = false) {
  return ipv6("2001:db8::1", "2001:db8::2") /
         tcp(1, 2, {.flags = flags, .options = hex(options), .is_partial = is_partial});
}
std::span<std::byte> segment_of(Bytes& packet) {
  return std::span{packet}.subspan(kIpv6HeaderBytes);
}

TEST(TcpClampMss, LowersAnOptionThatSaysMore) {
  Bytes packet = syn("02 04 05a0 01 03 03 07");
  EXPECT_TRUE(clamp_mss(segment_of(packet), 1220, false));
  EXPECT_THAT(packet, SameBytes(syn("02 04 04c4 01 03 03 07")));
}

TEST(TcpClampMss, LeavesAnOptionThatSaysNoMore) {
  for (const auto* options : {"02 04 04c4", "02 04 04c3", "02 04 0000"}) {
    Bytes packet = syn(options);
    EXPECT_FALSE(clamp_mss(segment_of(packet), 1220, false));
    EXPECT_THAT(packet, SameBytes(syn(options)));
  }
}

TEST(TcpClampMss, KeepsTheChecksumRightAtOddOffsets) {
  // RFC 1071 2(B): the option's two bytes then belong to two words of the sum.
  for (unsigned mss = 1; mss < 0x10000; mss += 251) {
    Bytes packet = syn("01 02 04 ffff 01 01 00");
    ASSERT_TRUE(clamp_mss(segment_of(packet), static_cast<std::uint16_t>(mss), false) ||
                mss == 0xffff);
    ASSERT_THAT(packet, HasValidChecksums());
  }
}

TEST(TcpClampMss, FindsTheOptionBehindOthers) {
  // As Linux, BSD and Windows send it, and with timestamps in front.
  for (const auto* options :
       {"02 04 05b4 04 02 08 0a 00000001 00000000 01 03 03 07",
        "02 04 05b4 01 03 03 06 01 01 08 0a 00000001 00000000 04 02 00 00",
        "02 04 05b4 01 03 03 08 01 01 04 02", "08 0a 00000001 00000000 02 04 05b4 01 00",
        "01 01 01 02 04 05b4 00"}) {
    Bytes packet = syn(options);
    EXPECT_TRUE(clamp_mss(segment_of(packet), 1220, false)) << options;
    EXPECT_THAT(packet, HasValidChecksums());
    EXPECT_FALSE(clamp_mss(segment_of(packet), 1220, false)) << options;
  }
}

TEST(TcpClampMss, LowersEveryMssOptionSinceAReceiverMayTakeTheLast) {
  Bytes packet = syn("02 04 05b4 02 04 05b4");
  EXPECT_TRUE(clamp_mss(segment_of(packet), 1220, false));
  EXPECT_THAT(packet, SameBytes(syn("02 04 04c4 02 04 04c4")));
}

TEST(TcpClampMss, LeavesAPartialChecksumAlone) {
  // The field holds the sum of the pseudo-header; the device adds the rest, with the new option.
  Bytes packet = syn("02 04 05a0", kTcpSyn, true);
  EXPECT_TRUE(clamp_mss(segment_of(packet), 1220, true));
  EXPECT_THAT(packet, SameBytes(syn("02 04 04c4", kTcpSyn, true)));
}

TEST(TcpClampMss, TakesSynAndSynAckAlone) {
  // RFC 9293 3.7.1: the option counts only there.
  for (unsigned flags = 0; flags < 256; ++flags) {
    Bytes packet = syn("02 04 05a0", static_cast<std::uint8_t>(flags));
    EXPECT_EQ(clamp_mss(segment_of(packet), 1220, false), (flags & kTcpSyn) != 0);
  }
}

TEST(TcpClampMss, LeavesMalformedOptionsAsTheyAre) {
  for (const auto* options : {
           "02 03 05a0",             // MSS of a wrong length
           "02 05 05a0 00 000000",   // the same
           "03 00 02 04 05a0 0000",  // a length that would never end
           "03 01 02 04 05a0 0000",
           "03 ff 02 04 05a0 0000",  // past the end
           "01 02 04 05",            // cut off
           "01 01 02 04", "01 01 01 02",
           "00 02 04 05a0 000000",  // behind the end of the list
       }) {
    Bytes packet = syn(options);
    EXPECT_FALSE(clamp_mss(segment_of(packet), 100, false)) << options;
    EXPECT_THAT(packet, SameBytes(syn(options)));
  }
}

TEST(TcpClampMss, LeavesWhatIsNoSegment) {
  Bytes packet = syn("02 04 05a0");
  const auto segment = segment_of(packet);
  for (std::size_t size = 0; size < segment.size(); ++size)
    EXPECT_FALSE(clamp_mss(segment.first(size), 100, false));
  EXPECT_THAT(packet, SameBytes(syn("02 04 05a0")));
}

}  // namespace
}  // namespace culvert::proto
