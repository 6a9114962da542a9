#include "proto/gre.h"

#include <gtest/gtest.h>

#include "tests/support/packet_matchers.h"

namespace culvert::proto {
namespace {

using namespace culvert::test;

const Drawing kIpv6 = ipv6("2001:db8::1", "2001:db8::2") / udp(1, 2) / payload(13);
const Drawing kIpv4 = ipv4("10.0.0.1", "10.0.0.2") / udp(1, 2) / payload(13);

TEST(GreEncapsulate, WritesTheBytesOfItsRfc) {
  // RFC 2890 2, by hand: C, K and S; IPv6; checksum over four words, Reserved1; key; sequence.
  //   b000 + 86dd + 0000 + 0000 + 0000 + 002a + 0000 + 0007 + 1234 = 14942 > 4943; ~4943 = b6bc
  const Bytes packet = hex("1234");
  Bytes header(16);
  Gre::encapsulate(header, {.okey = 42, .ocsum = true, .oseq = true}, 7,
                   {.head = packet, .tail = {}, .protocol_type = kProtocolTypeIpv6});
  EXPECT_THAT(header, SameBytes(hex("b000 86dd b6bc 0000 0000002a 00000007")));
}

// All eight combinations of checksum, key and sequence number.
template <class Check>
void for_each_combination(Check check) {
  for (unsigned flags = 0; flags < 8; ++flags) {
    const bool checksum = (flags & 1) != 0, key = (flags & 2) != 0, sequence = (flags & 4) != 0;
    SCOPED_TRACE(testing::Message()
                 << "csum " << checksum << " key " << key << " seq " << sequence);
    check(checksum, key ? std::optional{0xfedcba98u} : std::nullopt,
          sequence ? std::optional{0x89abcdefu} : std::nullopt);
  }
}

TEST(GreEncapsulate, WritesEveryCombinationOfFields) {
  for_each_combination([](bool checksum, auto key, auto sequence) {
    for (const Drawing& inner : {kIpv6, kIpv4}) {
      const Gre::Parameters parameters{
          .okey = key, .ocsum = checksum, .oseq = sequence.has_value()};
      const Bytes expected =
          gre({.key = key, .sequence = sequence, .has_checksum = checksum}) / inner;
      const Bytes packet = inner;
      const std::size_t overhead = Gre::overhead_bytes(parameters);
      ASSERT_EQ(overhead, expected.size() - packet.size());
      ASSERT_LE(overhead, Gre::kMaxOverheadBytes);

      // Once in one piece, once as head and tail.
      for (const std::size_t cut : {packet.size(), std::size_t{40}}) {
        Bytes written(overhead);
        Gre::encapsulate(written, parameters, sequence.value_or(99),
                         {.head = std::span{packet}.first(cut),
                          .tail = std::span{packet}.subspan(cut),
                          .protocol_type = inner.outermost().protocol_type});
        written.insert(written.end(), packet.begin(), packet.end());
        EXPECT_THAT(written, SameBytes(expected));
      }
    }
  });
}

TEST(GreDecapsulate, ReadsEveryCombinationOfFields) {
  for_each_combination([](bool checksum, auto key, auto sequence) {
    for (const Drawing& inner : {kIpv6, kIpv4}) {
      const Bytes datagram =
          gre({.key = key, .sequence = sequence, .has_checksum = checksum}) / inner;
      const auto found = Gre::decapsulate(datagram);
      ASSERT_TRUE(found);
      EXPECT_THAT(found->packet, SameBytes(inner.bytes()));
      EXPECT_EQ(found->protocol_type, inner.outermost().protocol_type);
      EXPECT_EQ(found->key, key);
      EXPECT_EQ(found->sequence, sequence);
      EXPECT_EQ(found->had_checksum, checksum);
    }
  });
}

TEST(GreDecapsulate, TellsKeyZeroFromNoKey) {
  // RFC 2890 2.1
  EXPECT_FALSE(Gre::decapsulate((gre() / kIpv6).bytes())->key);
  const auto zero = Gre::decapsulate((gre({.key = 0}) / kIpv6).bytes())->key;
  ASSERT_TRUE(zero);
  EXPECT_EQ(*zero, 0u);
}

TEST(GreDecapsulate, VerifiesAChecksumThatIsThere) {
  // RFC 2784 2.5; every bit counts, in the payload packet too.
  Bytes datagram = gre({.key = 1, .has_checksum = true}) / kIpv6;
  for (std::size_t bit = 32; bit < datagram.size() * 8; ++bit) {
    datagram[bit / 8] ^= std::byte{1} << (bit % 8);
    ASSERT_THAT(Gre::decapsulate(datagram), FailsWith(Malformed::bad_checksum)) << bit;
    ASSERT_TRUE(Gre::decapsulate(datagram, ChecksumCheck::already_verified)) << bit;
    datagram[bit / 8] ^= std::byte{1} << (bit % 8);
  }
}

TEST(GreDecapsulate, VerifiesOverAnOddNumberOfBytes) {
  // RFC 1071 1: padded with a zero byte for the sum.
  const Bytes datagram = gre({.has_checksum = true}) / ipv6("::1", "::2") / payload(1);
  ASSERT_EQ(datagram.size() % 2, 1u);
  EXPECT_TRUE(Gre::decapsulate(datagram));
}

TEST(GreDecapsulate, DropsReservedBits) {
  // RFC 2784 2.3: bits 1, 4 and 5 would change the header's length (RFC 1701).
  for (const std::uint16_t flags :
       std::initializer_list<std::uint16_t>{0x4000, 0x0800, 0x0400, 0x4c00})
    EXPECT_THAT(Gre::decapsulate((gre({.extra_flags = flags}) / kIpv6).bytes()),
                FailsWith(Malformed::reserved_bits_set));
}

TEST(GreDecapsulate, IgnoresBits6To12) {
  // RFC 2784 2.3.
  for (unsigned bit = 6; bit <= 12; ++bit) {
    const auto flags = static_cast<std::uint16_t>(0x8000 >> bit);
    const Bytes datagram = gre({.key = 5, .extra_flags = flags}) / kIpv6;
    const auto found = Gre::decapsulate(datagram);
    ASSERT_TRUE(found) << bit;
    EXPECT_THAT(found->packet, SameBytes(kIpv6.bytes()));
  }
}

TEST(GreDecapsulate, DropsOtherVersions) {
  // RFC 2784 2.3.1; version 1 is PPTP (RFC 2637), whose K, S and A bits it would misread.
  for (std::uint16_t version = 1; version < 8; ++version)
    EXPECT_THAT(Gre::decapsulate((gre({.extra_flags = version}) / kIpv6).bytes()),
                FailsWith(Malformed::bad_version));
}

TEST(GreDecapsulate, DropsOtherProtocolTypes) {
  // RFC 2784 2.4: MPLS, Ethernet, WCCP, a keepalive, ARP.
  for (const std::uint16_t type :
       std::initializer_list<std::uint16_t>{0x8847, 0x6558, 0x883e, 0x0000, 0x0806})
    EXPECT_THAT(Gre::decapsulate((gre({.protocol_type = type}) / kIpv6).bytes()),
                FailsWith(Malformed::unknown_protocol_type));
}

TEST(GreDecapsulate, RefusesEveryTruncationOfTheHeader) {
  for_each_combination([](bool checksum, auto key, auto sequence) {
    const Bytes datagram =
        gre({.key = key, .sequence = sequence, .has_checksum = checksum}) / kIpv6;
    const std::size_t header_bytes = datagram.size() - kIpv6.bytes().size();
    for (std::size_t size = 0; size < header_bytes; ++size)
      EXPECT_THAT(Gre::decapsulate(std::span{datagram}.first(size)),
                  FailsWith(Malformed::truncated));
  });
}

TEST(Gre, CarriesBothIpVersions) {
  // RFC 7676 3.1.
  EXPECT_TRUE(Gre::carries(0x0800));
  EXPECT_TRUE(Gre::carries(0x86dd));
  EXPECT_FALSE(Gre::carries(0x6558));
}

TEST(Gre, TellsItsParameters) {
  const Gre::Parameters parameters{
      .ikey = 1, .okey = 2, .icsum = true, .ocsum = false, .iseq = false, .oseq = true};
  EXPECT_EQ(Gre::key_in(parameters), 1u);
  EXPECT_EQ(Gre::key_out(parameters), 2u);
  EXPECT_TRUE(Gre::wants_checksum(parameters));
  EXPECT_TRUE(Gre::sends_sequence(parameters));
  EXPECT_FALSE(Gre::wants_sequence(parameters));
  EXPECT_EQ(Gre::overhead_bytes(parameters), 12u);
}

}  // namespace
}  // namespace culvert::proto
