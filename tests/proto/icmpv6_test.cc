#include "proto/icmpv6.h"

#include <gtest/gtest.h>

#include "tests/support/packet_matchers.h"

namespace culvert::proto {
namespace {

using namespace culvert::test;

bool may_answer(const Drawing& offending, std::uint8_t type = kIcmpv6DestinationUnreachable) {
  const Bytes packet = offending;
  return may_answer_with_icmpv6_error(*parse_ipv6(packet), type);
}

TEST(Icmpv6MayAnswer, OrdinaryPackets) {
  EXPECT_TRUE(may_answer(ipv6(kA6, kB6) / udp(1, 2)));
  EXPECT_TRUE(may_answer(ipv6("fe80::1", kB6) / tcp(1, 2)));
  EXPECT_TRUE(may_answer(ipv6(kA6, kB6) / payload(0)));
  EXPECT_TRUE(may_answer(ipv6(kA6, kB6) / hop_by_hop() / udp(1, 2)));
}

TEST(Icmpv6MayAnswer, InformationalMessagesAlone) {
  // RFC 4443 2.4(e.1), (e.2): not errors, which are types below 128, and not Redirect.
  for (unsigned type = 0; type < 256; ++type) {
    const auto message = icmpv6(static_cast<std::uint8_t>(type), 0) / payload(8);
    const bool expected = type >= 128 && type != 137;
    EXPECT_EQ(may_answer(ipv6(kA6, kB6) / message), expected) << type;
    EXPECT_EQ(may_answer(ipv6(kA6, kB6) / destination_options() / message), expected) << type;
  }
}

TEST(Icmpv6MayAnswer, MulticastWithPacketTooBigAlone) {
  // RFC 4443 2.4(e.3): so that path MTU discovery works for multicast.
  const auto offending = ipv6(kA6, "ff0e::1") / udp(1, 2);
  EXPECT_TRUE(may_answer(offending, kIcmpv6PacketTooBig));
  for (const std::uint8_t type :
       {kIcmpv6DestinationUnreachable, kIcmpv6TimeExceeded, kIcmpv6ParameterProblem})
    EXPECT_FALSE(may_answer(offending, type));
}

TEST(Icmpv6MayAnswer, NotASourceThatNamesNoNode) {
  // RFC 4443 2.4(e.6).
  for (const auto* source : {"::", "ff02::1"}) {
    EXPECT_FALSE(may_answer(ipv6(source, kB6) / udp(1, 2)));
    EXPECT_FALSE(may_answer(ipv6(source, kB6) / udp(1, 2), kIcmpv6PacketTooBig));
  }
}

TEST(Icmpv6MayAnswer, NotWhatHidesItsType) {
  EXPECT_TRUE(may_answer(ipv6(kA6, kB6) / fragment(0, true) / icmpv6(128, 0)));
  EXPECT_FALSE(may_answer(ipv6(kA6, kB6) / fragment(0, true) / icmpv6(1, 0)));
  EXPECT_FALSE(may_answer(ipv6(kA6, kB6) / fragment(8, true) / icmpv6(128, 0)));
  EXPECT_FALSE(may_answer(ipv6(kA6, kB6, {.next_header = std::uint8_t{58}}) / payload(0)));
  EXPECT_FALSE(may_answer(ipv6(kA6, kB6, {.next_header = std::uint8_t{0}}) / payload(0)));
}

TEST(Icmpv6ErrorBuild, WritesWhatTheDrawingSays) {
  const Drawing quoted = ipv6(kA6, kB6) / udp(1, 2) / payload(33);
  Bytes out(1280);
  const std::size_t size =
      build_icmpv6_error(out, *Ipv6Address::from_text(kB6), *Ipv6Address::from_text(kA6),
                         kIcmpv6PacketTooBig, 0, 0x12345678, quoted.bytes());
  out.resize(size);
  EXPECT_THAT(out, SameBytes((ipv6(kB6, kA6) / icmpv6(2, 0, 0x12345678) / quoted).bytes()));
}

TEST(Icmpv6ErrorBuild, QuotesWhatFits) {
  // RFC 4443 2.4(c): 1280 bytes in all.
  const auto address = *Ipv6Address::from_text(kA6);
  for (const std::size_t quoted_bytes : {0u, 1u, 1231u, 1232u, 1233u, 65535u}) {
    const Bytes quoted = pattern(quoted_bytes);
    Bytes out(1280);
    const std::size_t size = build_icmpv6_error(out, address, address, 1, 3, 0, quoted);
    EXPECT_EQ(size, std::min<std::size_t>(48 + quoted_bytes, 1280));
    EXPECT_EQ(bad_checksum(std::span{out}.first(size)), "");
    EXPECT_THAT(std::span{out}.subspan(48, size - 48),
                SameBytes(std::span{quoted}.first(size - 48)));
  }
}

TEST(Icmpv6Echo, IsARequestWithoutData) {
  // RFC 4443 4.1
  std::array<std::byte, kIcmpv6EchoRequestBytes> packet;
  build_icmpv6_echo_request(packet, *Ipv6Address::from_text("2001:db8::5"),
                            *Ipv6Address::from_text("ff02::2"));
  EXPECT_THAT(packet, SameBytes((ipv6("2001:db8::5", "ff02::2") / icmpv6(128, 0)).bytes()));
}

}  // namespace
}  // namespace culvert::proto
