#include "proto/icmpv4.h"

#include <gtest/gtest.h>

#include "tests/support/packet_matchers.h"

namespace culvert::proto {
namespace {

using namespace culvert::test;

const Drawing kQuoted =
    ipv4(kA4, kB4) / ipv6("2001:db8::1", "2001:db8::2") / udp(1, 2) / payload(60);

TEST(Icmpv4ErrorParse, ReadsFragmentationNeeded) {
  // RFC 1191 4: the MTU is in the low half of the second word.
  const Bytes message = icmpv4(3, 4, 1400) / kQuoted;
  const auto error = parse_icmpv4_error(message);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->type, kIcmpv4DestinationUnreachable);
  EXPECT_EQ(error->code, kIcmpv4CodeFragmentationNeeded);
  EXPECT_EQ(error->next_hop_mtu_bytes, 1400);
  EXPECT_THAT(error->quoted, SameBytes(kQuoted.bytes()));
}

TEST(Icmpv4ErrorParse, TakesAnMtuFromFragmentationNeededAlone) {
  // The word is unused, or means something else, in all others: RFC 792.
  for (const std::uint8_t code : std::initializer_list<std::uint8_t>{0, 1, 2, 3, 5, 13})
    EXPECT_EQ(parse_icmpv4_error((icmpv4(3, code, 1400) / kQuoted).bytes())->next_hop_mtu_bytes, 0);
  EXPECT_EQ(parse_icmpv4_error((icmpv4(11, 4, 1400) / kQuoted).bytes())->next_hop_mtu_bytes, 0);
}

TEST(Icmpv4ErrorParse, TakesErrorMessagesAlone) {
  // RFC 1122 3.2.2 names the five.
  for (unsigned type = 0; type < 256; ++type) {
    const Bytes message = icmpv4(static_cast<std::uint8_t>(type), 0) / kQuoted;
    const bool is_error = type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
    EXPECT_EQ(is_icmpv4_error_type(static_cast<std::uint8_t>(type)), is_error);
    if (is_error) {
      EXPECT_TRUE(parse_icmpv4_error(message)) << type;
    } else {
      EXPECT_THAT(parse_icmpv4_error(message), FailsWith(Malformed::unknown_protocol_type));
    }
  }
}

TEST(Icmpv4ErrorParse, LeavesOutExtensions) {
  // RFC 4884 4: the sixth byte is the length of the quoted packet in words, padded to 128 bytes.
  Bytes quoted = kQuoted;
  quoted.resize(128);
  const Bytes message = icmpv4(11, 0, 32u << 16) / payload(quoted) / payload(hex("20001234"));
  EXPECT_THAT(parse_icmpv4_error(message)->quoted, SameBytes(quoted));
}

TEST(Icmpv4ErrorParse, TakesWhatIsThereIfTheStatedLengthIsMore) {
  const Bytes message = icmpv4(11, 0, 255u << 16) / kQuoted;
  EXPECT_THAT(parse_icmpv4_error(message)->quoted, SameBytes(kQuoted.bytes()));
}

TEST(Icmpv4ErrorParse, RefusesTruncationAndDamage) {
  Bytes message = icmpv4(3, 4, 1400) / kQuoted;
  for (std::size_t size = 0; size < 8; ++size)
    EXPECT_THAT(parse_icmpv4_error(std::span{message}.first(size)),
                FailsWith(Malformed::truncated));
  message[60] ^= std::byte{0x10};
  EXPECT_THAT(parse_icmpv4_error(message), FailsWith(Malformed::bad_checksum));
}

Bytes offending(const char* source, const char* destination, const Drawing& inner = udp(1, 2),
                Ipv4Extra extra = {}) {
  return ipv4(source, destination, std::move(extra)) / inner;
}
bool may_answer(const Bytes& packet) { return may_answer_with_icmpv4_error(*parse_ipv4(packet)); }

TEST(Icmpv4MayAnswer, OrdinaryPacketsAndFirstFragments) {
  EXPECT_TRUE(may_answer(offending(kA4, kB4)));
  EXPECT_TRUE(may_answer(offending(kA4, kB4, udp(1, 2), {.more_fragments = true})));
  EXPECT_TRUE(may_answer(offending(kA4, kB4, icmpv4(8, 0))));
}

TEST(Icmpv4MayAnswer, NothingThatRfc1122Names) {
  // RFC 1122 3.2.2, in its order.
  EXPECT_FALSE(may_answer(offending(kA4, kB4, icmpv4(3, 4))));
  EXPECT_FALSE(may_answer(offending(kA4, kB4, payload(0), {.protocol = kProtocolIcmp})));
  EXPECT_FALSE(may_answer(offending(kA4, "224.0.0.1")));
  EXPECT_FALSE(may_answer(offending(kA4, "255.255.255.255")));
  EXPECT_FALSE(may_answer(offending(kA4, kB4, udp(1, 2), {.fragment_offset_bytes = 8})));
  for (const auto* source : {"0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255", "240.0.0.1"})
    EXPECT_FALSE(may_answer(offending(source, kB4))) << source;
}

TEST(Icmpv4ErrorBuild, WritesWhatTheDrawingSays) {
  const Bytes quoted = kQuoted;
  Bytes out(576);
  const std::size_t size = build_icmpv4_error(out, *Ipv4Address::from_text(kB4),
                                              *Ipv4Address::from_text(kA4), 3, 4, 1400, quoted);
  out.resize(size);
  EXPECT_THAT(out,
              SameBytes((ipv4(kB4, kA4, {.tos = 0xc0}) / icmpv4(3, 4, 1400) / kQuoted).bytes()));
}

TEST(Icmpv4ErrorBuild, QuotesWhatFits) {
  // RFC 1812 4.3.2.3: 576 bytes in all.
  for (const std::size_t quoted_bytes : {0u, 28u, 547u, 548u, 549u, 1500u}) {
    const Bytes quoted = pattern(quoted_bytes);
    Bytes out(576);
    const auto source = *Ipv4Address::from_text(kA4);
    const std::size_t size = build_icmpv4_error(out, source, source, 3, 1, 0, quoted);
    EXPECT_EQ(size, std::min<std::size_t>(28 + quoted_bytes, 576));
    EXPECT_EQ(bad_checksum(std::span{out}.first(size)), "");
    EXPECT_THAT(std::span{out}.subspan(28, size - 28),
                SameBytes(std::span{quoted}.first(size - 28)));
  }
}

TEST(Icmpv4Plateau, IsTheNextOneOfTheTable) {
  // RFC 1191 7.1.
  struct Row {
    std::uint16_t total_bytes, plateau;
  };
  constexpr Row kRows[] = {{65535, 32000}, {32000, 17914}, {17914, 8166}, {8166, 4352},
                           {4352, 2002},   {2002, 1492},   {1501, 1492},  {1500, 1492},
                           {1493, 1492},   {1492, 1006},   {1006, 508},   {508, 296},
                           {296, 68},      {69, 68},       {68, 68},      {0, 68}};
  for (const Row& row : kRows) EXPECT_EQ(next_lower_plateau(row.total_bytes), row.plateau);
}

}  // namespace
}  // namespace culvert::proto
