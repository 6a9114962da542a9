#include "proto/address.h"

#include <gtest/gtest.h>

#include "tests/support/packet_matchers.h"

namespace culvert::proto {
namespace {

using namespace culvert::test;
using namespace std::string_view_literals;

Ipv4Address v4(std::string_view text) { return Ipv4Address::from_text(text).value(); }
Ipv6Address v6(std::string_view text) { return Ipv6Address::from_text(text).value(); }

TEST(Ipv4AddressText, IsADottedQuad) {
  EXPECT_THAT(v4("192.0.2.1").bytes, SameBytes(hex("c0 00 02 01")));
  EXPECT_EQ(v4("192.0.2.1").host(), 0xc0000201u);
  EXPECT_EQ(v4("192.0.2.1"), Ipv4Address::from_host(0xc0000201));
  for (const auto text : {"0.0.0.0", "255.255.255.255", "10.0.0.1"})
    EXPECT_EQ(v4(text).to_text(), text);
}

TEST(Ipv4AddressText, RefusesEverythingElse) {
  // RFC 6943 3.1.1: short and octal forms mean different things to different programs.
  for (const auto text :
       {""sv, "1"sv, "1.2.3"sv, "1.2.3.4.5"sv, "1.2.3.256"sv, "01.2.3.4"sv, "0x1.2.3.4"sv,
        " 1.2.3.4"sv, "1.2.3.4 "sv, "1.2.3.-4"sv, "any"sv, "1.2.3.4/24"sv, "1.2.3.4\0"sv,
        "255.255.255.255.255.255.255.255.255.255.255.255.255.255.255"sv})
    EXPECT_FALSE(Ipv4Address::from_text(text)) << text;
}

TEST(Ipv4Address, KnowsItsKind) {
  EXPECT_TRUE(v4("0.0.0.0").is_unspecified());
  EXPECT_TRUE(v4("127.1.2.3").is_loopback());
  EXPECT_TRUE(v4("224.0.0.1").is_multicast());
  EXPECT_TRUE(v4("239.255.255.255").is_multicast());
  EXPECT_TRUE(v4("240.0.0.0").is_reserved());
  EXPECT_TRUE(v4("255.255.255.255").is_reserved());
  const auto ordinary = v4("223.255.255.255");
  EXPECT_FALSE(ordinary.is_unspecified() || ordinary.is_loopback() || ordinary.is_multicast() ||
               ordinary.is_reserved());
}

TEST(Ipv6AddressText, TakesEveryFormOfItsRfc) {
  // RFC 4291 2.2.
  const Bytes expected = hex("20010db8 00000000 00080800 200c417a");
  EXPECT_THAT(v6("2001:DB8:0:0:8:800:200C:417A").bytes, SameBytes(expected));
  EXPECT_THAT(v6("2001:db8::8:800:200c:417a").bytes, SameBytes(expected));
  EXPECT_THAT(v6("::").bytes, SameBytes(Bytes(16)));
  EXPECT_THAT(v6("::ffff:129.144.52.38").bytes,
              SameBytes(hex("00000000 00000000 0000ffff 81903426")));
}

TEST(Ipv6AddressText, IsPrintedCanonically) {
  // RFC 5952 4 and 5.
  struct Row {
    const char *written, *canonical;
  };
  constexpr Row kRows[] = {
      {"2001:0db8::0001", "2001:db8::1"},                // 4.1: no leading zeros
      {"2001:db8:0:0:0:0:2:1", "2001:db8::2:1"},         // 4.2.1: shorten all
      {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},  // 4.2.2: not one field
      {"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},           // 4.2.3: the longest run
      {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},     // 4.2.3: the first of equals
      {"2001:DB8::ABCD", "2001:db8::abcd"},              // 4.3: lower case
      {"0:0:0:0:0:ffff:c000:201", "::ffff:192.0.2.1"},   // 5
      {"::", "::"},
      {"::1", "::1"},
      {"fe80:0:0:0:0:0:c000:201", "fe80::c000:201"},
  };
  for (const Row& row : kRows) EXPECT_EQ(v6(row.written).to_text(), row.canonical);
}

TEST(Ipv6AddressText, RefusesEverythingElse) {
  for (const auto text :
       {""sv, ":"sv, ":::"sv, "1::2::3"sv, "12345::"sv, "fe80::1%eth0"sv, "2001:db8::/64"sv,
        "1:2:3:4:5:6:7"sv, "1:2:3:4:5:6:7:8:9"sv, "[::1]"sv, "::1\0"sv, "192.0.2.1"sv})
    EXPECT_FALSE(Ipv6Address::from_text(text)) << text;
}

TEST(Ipv6Address, KnowsItsKind) {
  EXPECT_TRUE(v6("::").is_unspecified());
  EXPECT_FALSE(v6("::1").is_unspecified());
  EXPECT_TRUE(v6("::1").is_loopback());
  EXPECT_FALSE(v6("1::1").is_loopback());
  EXPECT_TRUE(v6("ff02::1").is_multicast());
  EXPECT_FALSE(v6("fe80::1").is_multicast());
  EXPECT_TRUE(v6("fe80::1").is_link_local());
  EXPECT_TRUE(v6("febf::1").is_link_local());
  EXPECT_FALSE(v6("fec0::1").is_link_local());
}

TEST(Ipv6Address, KnowsThoseThatEmbedAnIpv4Address) {
  // RFC 4291 2.5.5.1 and 2.5.5.2.
  for (const auto text : {"::", "::1", "::192.0.2.1", "::ffff:192.0.2.1", "::ffff:0:0"})
    EXPECT_TRUE(v6(text).is_ipv4_compatible_or_mapped()) << text;
  for (const auto text : {"::1:0:0", "::fffe:192.0.2.1", "::1:ffff:192.0.2.1", "64:ff9b::192.0.2.1",
                          "2001:db8::1", "100::ffff:192.0.2.1"})
    EXPECT_FALSE(v6(text).is_ipv4_compatible_or_mapped()) << text;
}

TEST(TunnelLinkLocal, EndsInTheIpv4Address) {
  // RFC 4213 3.7.
  EXPECT_EQ(tunnel_link_local(v4("192.0.2.1")).to_text(), "fe80::c000:201");
}

TEST(Ipv4Mapped, EndsInTheIpv4Address) {
  // RFC 4291 2.5.5.2
  EXPECT_EQ(ipv4_mapped(v4("192.0.2.1")), v6("::ffff:192.0.2.1"));
}

TEST(Prefix, FromTextKeepsHostBits) {
  const auto prefix = Ipv6Prefix::from_text("2001:db8::1/64");
  ASSERT_TRUE(prefix);
  EXPECT_EQ(prefix->address, v6("2001:db8::1"));
  EXPECT_EQ(prefix->length_bits, 64);
  EXPECT_TRUE(prefix->has_host_bits());
  EXPECT_EQ(prefix->to_text(), "2001:db8::1/64");
  EXPECT_FALSE(Ipv6Prefix::from_text("2001:db8::/64")->has_host_bits());
  EXPECT_FALSE(Ipv4Prefix::from_text("0.0.0.0/0")->has_host_bits());
}

TEST(Prefix, NetworkHasNoHostBits) {
  const auto network6 = [](const char* text) { return Ipv6Prefix::from_text(text)->network(); };
  EXPECT_EQ(network6("2001:db8:ffff:ffff::1/35").to_text(), "2001:db8:e000::/35");
  EXPECT_EQ(network6("2001:db8::1/128").to_text(), "2001:db8::1/128");
  EXPECT_EQ(network6("2001:db8::1/0").to_text(), "::/0");
  EXPECT_EQ(Ipv4Prefix::from_text("10.1.255.7/17")->network().to_text(), "10.1.128.0/17");
}

TEST(Prefix, WithoutLengthIsOneHost) {
  EXPECT_EQ(Ipv4Prefix::from_text("10.0.0.1")->to_text(), "10.0.0.1/32");
  EXPECT_EQ(Ipv6Prefix::from_text("::1")->to_text(), "::1/128");
  EXPECT_FALSE(Ipv6Prefix::from_text("::1")->has_host_bits());
}

TEST(Prefix, RefusesLengthsThatAreNone) {
  for (const auto text :
       {"10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/08", "10.0.0.0/8 ",
        "10.0.0.0/8/8", "10.0.0.0/256", "10.0.0.0/264", "10.0.0.0/255.0.0.0", "/8", "10.0.0/8"})
    EXPECT_FALSE(Ipv4Prefix::from_text(text)) << text;
  EXPECT_FALSE(Ipv6Prefix::from_text("::/129"));
}

TEST(Prefix, ContainsWhatSharesItsBits) {
  for (unsigned length = 0; length <= 128; ++length) {
    const Ipv6Prefix prefix{v6("2001:db8:5555:aaaa:5555:aaaa:5555:aaaa"),
                            static_cast<std::uint8_t>(length)};
    for (unsigned bit = 0; bit < 128; ++bit) {
      Ipv6Address other = prefix.address;
      other.bytes[bit / 8] ^= std::byte{0x80} >> (bit % 8);
      ASSERT_EQ(prefix.contains(other), bit >= length) << length << ", bit " << bit;
    }
    EXPECT_TRUE(prefix.contains(prefix.address));
  }
}

}  // namespace
}  // namespace culvert::proto
