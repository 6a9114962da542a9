#include "proto/ipv4.h"

#include <gtest/gtest.h>

#include "tests/support/packet_matchers.h"

namespace culvert::proto {
namespace {

using namespace culvert::test;

const Bytes kOptions = hex("07 07 04 00000000 00");  // Record Route with an empty slot, end

TEST(Ipv4Parse, ReadsEveryField) {
  const Bytes packet =
      hex("45 b8 00 18 ab cd 20 03"  // TOS b8, 24 bytes, MF, offset 3 words of 8
          "3f 2f c2 f7 c0 00 02 01"  // TTL 63, protocol 47; ~(45b8 + 18 + abcd + ... + 6402)
          "c6 33 64 02 de ad be ef");
  const auto parsed = parse_ipv4(packet);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->source.to_text(), kA4);
  EXPECT_EQ(parsed->destination.to_text(), kB4);
  EXPECT_EQ(parsed->tos, 0xb8);
  EXPECT_EQ(parsed->ttl, 63);
  EXPECT_EQ(parsed->protocol, 47);
  EXPECT_EQ(parsed->identification, 0xabcd);
  EXPECT_EQ(parsed->fragment_offset_bytes, 24);
  EXPECT_TRUE(parsed->more_fragments);
  EXPECT_FALSE(parsed->dont_fragment);
  EXPECT_TRUE(parsed->is_fragment());
  EXPECT_EQ(parsed->header_bytes, 20);
  EXPECT_THAT(parsed->bytes, SameBytes(packet));
  EXPECT_THAT(parsed->payload, SameBytes(hex("de ad be ef")));
}

TEST(Ipv4Parse, TellsFragmentsFromWholePackets) {
  EXPECT_FALSE(parse_ipv4(ipv4(kA4, kB4).bytes())->is_fragment());
  EXPECT_TRUE(parse_ipv4(ipv4(kA4, kB4, {.more_fragments = true}).bytes())->is_fragment());
  EXPECT_TRUE(parse_ipv4(ipv4(kA4, kB4, {.fragment_offset_bytes = 65528}).bytes())->is_fragment());
  EXPECT_EQ(
      parse_ipv4(ipv4(kA4, kB4, {.fragment_offset_bytes = 65528}).bytes())->fragment_offset_bytes,
      65528);
  EXPECT_TRUE(parse_ipv4(ipv4(kA4, kB4, {.dont_fragment = true}).bytes())->dont_fragment);
}

TEST(Ipv4Parse, PayloadStartsBehindTheOptions) {
  for (const std::size_t option_bytes : {4u, 8u, 40u}) {
    const Bytes packet =
        ipv4(kA4, kB4, {.options = Bytes(option_bytes, std::byte{1})}) / payload(9);
    const auto parsed = parse_ipv4(packet);
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->header_bytes, 20 + option_bytes);
    EXPECT_THAT(parsed->payload, SameBytes(pattern(9)));
  }
}

TEST(Ipv4Parse, ChecksTheSumOfTheOptionsToo) {
  Bytes packet = ipv4(kA4, kB4, {.options = kOptions}) / payload(9);
  packet[26] ^= std::byte{1};
  EXPECT_THAT(parse_ipv4(packet), FailsWith(Malformed::bad_checksum));
}

TEST(Ipv4Parse, LeavesOutPaddingBehindTheTotalLength) {
  // RFC 894: an Ethernet frame is padded to 46 bytes.
  const Bytes packet = padded(ipv4(kA4, kB4) / payload(5), 21);
  const auto parsed = parse_ipv4(packet);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->bytes.size(), 25u);
  EXPECT_EQ(parsed->payload.size(), 5u);
}

TEST(Ipv4Parse, RefusesEveryTruncation) {
  const Bytes packet = ipv4(kA4, kB4, {.options = kOptions}) / payload(9);
  for (std::size_t size = 0; size < packet.size(); ++size)
    EXPECT_THAT(parse_ipv4(std::span{packet}.first(size)), FailsWith(Malformed::truncated));
}

TEST(Ipv4Parse, RefusesOtherVersions) {
  for (const std::uint8_t version : std::initializer_list<std::uint8_t>{0, 5, 6, 15})
    EXPECT_THAT(parse_ipv4(ipv4(kA4, kB4, {.version = version}).bytes()),
                FailsWith(Malformed::bad_version));
}

TEST(Ipv4Parse, RefusesHeaderLengthsThatCannotBe) {
  // RFC 791 3.1: the minimum is 5; and a total length has room for the header.
  for (const std::uint8_t words : std::initializer_list<std::uint8_t>{0, 1, 4})
    EXPECT_THAT(parse_ipv4(ipv4(kA4, kB4, {.header_words = words}).bytes()),
                FailsWith(Malformed::bad_header_length));
  EXPECT_THAT(parse_ipv4(ipv4(kA4, kB4, {.total_bytes = 19}).bytes()),
              FailsWith(Malformed::bad_header_length));
  const Bytes short_total = ipv4(kA4, kB4, {.options = kOptions, .total_bytes = 27}) / payload(9);
  EXPECT_THAT(parse_ipv4(short_total), FailsWith(Malformed::bad_header_length));
}

TEST(Ipv4Parse, RefusesAnyFlippedBit) {
  // RFC 1122 3.2.1.2.
  Bytes packet = ipv4(kA4, kB4, {.tos = 3, .identification = 77}) / payload(9);
  for (std::size_t bit = 0; bit < 20 * 8; ++bit) {
    packet[bit / 8] ^= std::byte{1} << (bit % 8);
    EXPECT_FALSE(parse_ipv4(packet)) << bit;
    packet[bit / 8] ^= std::byte{1} << (bit % 8);
  }
}

TEST(Ipv4ParseQuoted, TakesWhatIsCutShort) {
  // RFC 792: the header and the next 64 bits.
  const Bytes packet = ipv4(kA4, kB4, {.checksum = 0xbad}) / payload(1000);
  const auto parsed = parse_quoted_ipv4(std::span{packet}.first(28));
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->bytes.size(), 28u);
  EXPECT_THAT(parsed->payload, SameBytes(pattern(8)));
}

TEST(Ipv4ParseQuoted, LeavesOutPaddingButNeverTheHeader) {
  // RFC 4884 4.1 pads the quoted packet; old stacks quote a total length without the header.
  EXPECT_EQ(parse_quoted_ipv4(padded(ipv4(kA4, kB4) / payload(8), 100).bytes())->payload.size(),
            8u);
  const Bytes mangled = ipv4(kA4, kB4, {.options = kOptions, .total_bytes = 8}) / payload(8);
  EXPECT_EQ(parse_quoted_ipv4(mangled)->bytes.size(), 28u);
}

TEST(Ipv4ParseQuoted, RefusesWhatHasNoWholeHeader) {
  const Bytes packet = ipv4(kA4, kB4, {.options = kOptions}) / payload(8);
  for (std::size_t size = 0; size < 28; ++size)
    EXPECT_THAT(parse_quoted_ipv4(std::span{packet}.first(size)), FailsWith(Malformed::truncated));
  EXPECT_THAT(parse_quoted_ipv4(ipv4(kA4, kB4, {.version = std::uint8_t{6}}).bytes()),
              FailsWith(Malformed::bad_version));
  EXPECT_THAT(parse_quoted_ipv4(ipv4(kA4, kB4, {.header_words = std::uint8_t{4}}).bytes()),
              FailsWith(Malformed::bad_header_length));
}

TEST(Ipv4Build, WritesWhatTheDrawingSays) {
  const auto source = *Ipv4Address::from_text("255.254.253.252");
  const auto destination = *Ipv4Address::from_text("255.255.255.1");
  for (const bool dont_fragment : {false, true}) {
    Bytes header(20);
    build_ipv4(std::span{header}.first<20>(), {.source = source,
                                               .destination = destination,
                                               .protocol = 41,
                                               .tos = 0xff,
                                               .ttl = 255,
                                               .identification = 0xfffe,
                                               .dont_fragment = dont_fragment,
                                               .total_bytes = 0xfff0});
    const Bytes expected = ipv4("255.254.253.252", "255.255.255.1",
                                {.tos = 0xff,
                                 .ttl = 255,
                                 .identification = 0xfffe,
                                 .dont_fragment = dont_fragment,
                                 .total_bytes = std::uint16_t{0xfff0},
                                 .protocol = std::uint8_t{41}});
    EXPECT_THAT(header, SameBytes(expected));
  }
}

TEST(Ipv4Set, KeepsTheChecksumRight) {
  // RFC 1624; every value of the small field, a spread of the large ones.
  for (unsigned value = 0; value < 0x10000; value += 17) {
    const auto word = static_cast<std::uint16_t>(value);
    const auto tos = static_cast<std::uint8_t>(value);
    Bytes packet = ipv4(kA4, kB4, {.tos = 0x5a, .identification = 0x1234});
    set_ipv4_tos(packet, tos);
    set_ipv4_total_bytes(packet, word);
    set_ipv4_fragment(packet, word & 0xfff8, (value & 1) != 0, (value & 2) != 0);
    const Bytes expected = ipv4(kA4, kB4,
                                {.tos = tos,
                                 .identification = 0x1234,
                                 .dont_fragment = (value & 2) != 0,
                                 .more_fragments = (value & 1) != 0,
                                 .fragment_offset_bytes = static_cast<std::uint16_t>(word & 0xfff8),
                                 .total_bytes = word});
    ASSERT_THAT(packet, SameBytes(expected));
  }
}

TEST(Ipv4FragmentHeader, CarriesAllOptionsInTheFirstAndCopiedOnesInTheOthers) {
  // RFC 791 3.1: No Operation; Record Route (7, not copied); Router Alert (0x94, copied); a Stream
  // Identifier (0x88, copied).
  const Bytes options = hex("01 07 07 04 00000000 94040000 88040102");
  const Bytes packet =
      ipv4(kA4, kB4, {.identification = 9, .dont_fragment = false, .options = options}) /
      payload(8);
  const auto original = parse_ipv4(packet);
  ASSERT_TRUE(original);

  std::array<std::byte, 60> header{};
  ASSERT_EQ(build_ipv4_fragment_header(header, *original, true), 36u);
  EXPECT_THAT(std::span{header}.first(36), SameBytes(std::span{packet}.first(36)));

  ASSERT_EQ(build_ipv4_fragment_header(header, *original, false), 28u);
  const Bytes expected = ipv4(kA4, kB4,
                              {.identification = 9,
                               .dont_fragment = false,
                               .options = hex("94040000 88040102"),
                               .total_bytes = std::uint16_t{44},
                               .protocol = std::uint8_t{59}});
  EXPECT_THAT(std::span{header}.first(28), SameBytes(expected));
}

TEST(Ipv4FragmentHeader, PadsCopiedOptionsWithEndOfList) {
  const Bytes packet = ipv4(kA4, kB4, {.options = hex("86 06 01020304 01 00")}) / payload(8);
  std::array<std::byte, 60> header{};
  ASSERT_EQ(build_ipv4_fragment_header(header, *parse_ipv4(packet), false), 28u);
  EXPECT_THAT(std::span{header}.subspan(20, 8), SameBytes(hex("86 06 01020304 00 00")));
  EXPECT_EQ(bad_checksum(std::span{header}.first(28)), "");
}

TEST(Ipv4FragmentHeader, StopsAtAnOptionThatMakesNoSense) {
  // A length of 0 or 1, beyond the end, or missing: the options before it are kept.
  for (const auto* rest : {"86 00 0000", "86 01 0000", "86 05 0000", "00 00 0086", "01 01 0186"}) {
    const Bytes packet =
        ipv4(kA4, kB4, {.options = hex("94 04 0000" + std::string{rest})}) / payload(8);
    std::array<std::byte, 60> header{};
    ASSERT_EQ(build_ipv4_fragment_header(header, *parse_ipv4(packet), false), 24u) << rest;
    EXPECT_THAT(std::span{header}.subspan(20, 4), SameBytes(hex("94 04 0000")));
  }
}

}  // namespace
}  // namespace culvert::proto
