#include "proto/checksum.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/support/packet_matchers.h"

namespace culvert::proto {
namespace {

using namespace culvert::test;

TEST(ChecksumSum, IsTheExampleOfItsRfc) {
  // RFC 1071 3: the words 0001 f203 f4f5 f6f7 sum to ddf2.
  const Bytes example = hex("00 01 f2 03 f4 f5 f6 f7");
  EXPECT_EQ(fold(sum(example)).host(), 0xddf2);
  EXPECT_EQ(finish(sum(example)).host(), 0x220d);
}

TEST(ChecksumSum, EqualsTheReferenceForEveryLengthAndAlignment) {
  constexpr std::size_t kMaxBytes = 3000, kAlignments = 64;
  const Bytes bytes = pattern(kMaxBytes, 3);
  std::vector<Bytes> shifted;  // the same bytes, their first at each offset of a 64-byte block
  for (std::size_t offset = 0; offset < kAlignments; ++offset) {
    shifted.emplace_back(offset, std::byte{0xee});
    shifted.back().insert(shifted.back().end(), bytes.begin(), bytes.end());
  }
  for (std::size_t length = 0; length <= kMaxBytes; ++length) {
    const std::uint16_t expected = slow_sum(std::span{bytes}.first(length));
    for (std::size_t offset = 0; offset < kAlignments; ++offset) {
      const auto view = std::span{shifted[offset]}.subspan(offset, length);
      ASSERT_EQ(fold(sum(view)).host(), expected) << length << " bytes at " << offset;
    }
  }
}

TEST(ChecksumSum, LosesNoCarry) {
  // All ones is where every addition carries; 0xffff is zero, but never becomes 0x0000.
  for (const std::size_t length : {2u, 8u, 64u, 66u, 1400u, 65534u}) {
    const Bytes ones(length, std::byte{0xff});
    EXPECT_EQ(fold(sum(ones)).host(), 0xffff) << length;
  }
  EXPECT_EQ(fold(sum(Bytes(65535, std::byte{0}))).host(), 0);
}

TEST(ChecksumFold, CarriesUntilThereIsNoMoreToCarry) {
  // All words of 64 bits whose quarters are edges, so that each of the four additions overflows.
  constexpr std::uint16_t kEdges[] = {0x0000, 0x0001, 0x00ff, 0x7fff, 0x8000, 0xfffe, 0xffff};
  for (const auto a : kEdges)
    for (const auto b : kEdges)
      for (const auto c : kEdges)
        for (const auto d : kEdges) {
          const std::uint16_t words[] = {a, b, c, d};
          const auto bytes = std::as_bytes(std::span{words});
          ASSERT_EQ(fold({load<std::uint64_t>(bytes)}).host(), slow_sum(bytes))
              << a << ' ' << b << ' ' << c << ' ' << d;
        }
}

TEST(ChecksumSum, AddsPiecesThatStartAtEvenAndOddOffsets) {
  const Bytes bytes = pattern(301, 9);
  const std::uint16_t expected = slow_sum(bytes);
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
    const auto head = std::span{bytes}.first(cut);
    const auto tail = std::span{bytes}.subspan(cut);
    // RFC 1071 2(B): bytes from an odd offset on count with their bytes swapped.
    const auto second = cut % 2 == 0 ? sum(tail) : swapped(sum(tail));
    ASSERT_EQ(fold(sum(head) + second).host(), expected) << cut;
  }
}

TEST(ChecksumSum, OfFixedWordsIsTheSame) {
  const Bytes bytes = pattern(40, 200);
  const std::span<const std::byte> view = bytes;
  EXPECT_EQ(fold(sum_words(view.first<40>())).host(), slow_sum(bytes));
  EXPECT_EQ(fold(sum_words(view.first<4>())).host(), slow_sum(view.first(4)));
  EXPECT_EQ(fold(sum_of_word(0x1234)).host(), 0x1234);
}

TEST(ChecksumPseudoHeader, IsThatOfIpv4) {
  // RFC 9293 3.1: addresses, zero and protocol, length.
  const Bytes written = hex("c0000201 c6336402 00 06 0014");
  const auto source = *Ipv4Address::from_text("192.0.2.1");
  const auto destination = *Ipv4Address::from_text("198.51.100.2");
  EXPECT_EQ(fold(pseudo_header_sum(source, destination, 6, 20)).host(), slow_sum(written));
}

TEST(ChecksumPseudoHeader, IsThatOfIpv6WithLengthsAbove64KiB) {
  // RFC 8200 8.1: addresses, a 32-bit length, zeros and the next header.
  const Bytes written =
      hex("20010db8 00000000 00000000 00000001 fe800000 00000000 0200abff fe00ffff"
          "00012345 0000003a");
  const auto source = *Ipv6Address::from_text("2001:db8::1");
  const auto destination = *Ipv6Address::from_text("fe80::200:abff:fe00:ffff");
  EXPECT_EQ(fold(pseudo_header_sum(source, destination, 58, 0x12345)).host(), slow_sum(written));
}

TEST(ChecksumVerifies, AnIntactHeaderAndNoOther) {
  Bytes header = hex("45000073 00004000 4011b861 c0a80001 c0a800c7");
  EXPECT_TRUE(verifies(sum(header)));
  for (std::size_t bit = 0; bit < header.size() * 8; ++bit) {
    header[bit / 8] ^= std::byte{1} << (bit % 8);
    EXPECT_FALSE(verifies(sum(header))) << bit;
    header[bit / 8] ^= std::byte{1} << (bit % 8);
  }
}

TEST(ChecksumVerifies, NotBytesThatAreAllZero) {
  // A checksum over zeros is 0xffff, so 20 zeros are not a packet.
  EXPECT_FALSE(verifies(sum(Bytes(20))));
}

TEST(ChecksumUpdate, IsTheExampleOfItsRfc) {
  // RFC 1624 4: equation 2 of RFC 1141 would give 0xffff here.
  const auto updated =
      update(Be16::from_host(0xdd2f), Be16::from_host(0x5555), Be16::from_host(0x3285));
  EXPECT_EQ(updated.host(), 0x0000);
}

TEST(ChecksumUpdate, EqualsSummingAgain) {
  std::mt19937 random{20};
  for (int round = 0; round < 10000; ++round) {
    Bytes header(20);
    for (std::byte& byte : header) byte = static_cast<std::byte>(random());
    const std::size_t offset = random() % 10 * 2;
    const Be16 checksum = finish(sum(header));
    const auto before = load<Be16>(header, offset);
    const auto after = Be16::from_host(static_cast<std::uint16_t>(random()));
    store(header, offset, after);
    ASSERT_EQ(update(checksum, before, after).host(), slow_sum(header) ^ 0xffff) << round;
  }
}

}  // namespace
}  // namespace culvert::proto
