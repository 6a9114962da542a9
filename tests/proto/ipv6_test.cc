#include "proto/ipv6.h"

#include <gtest/gtest.h>

#include "proto/ipv4.h"
#include "tests/support/packet_matchers.h"

namespace culvert::proto {
namespace {

using namespace culvert::test;

TEST(Ipv6Parse, ReadsEveryField) {
  const Bytes packet =
      hex("6a b1 23 45 00 04 3b 40"  // traffic class ab, flow label 12345, 4 bytes, none, 64
          "20010db8 00000000 00000000 00000001"
          "20010db8 00000000 00000000 00000002 deadbeef");
  const auto parsed = parse_ipv6(packet);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->source.to_text(), kA6);
  EXPECT_EQ(parsed->destination.to_text(), kB6);
  EXPECT_EQ(parsed->traffic_class, 0xab);
  EXPECT_EQ(parsed->flow_label, 0x12345u);
  EXPECT_EQ(parsed->hop_limit, 64);
  EXPECT_EQ(parsed->next_header, 59);
  EXPECT_THAT(parsed->bytes, SameBytes(packet));
  EXPECT_THAT(parsed->payload, SameBytes(hex("deadbeef")));
}

TEST(Ipv6Parse, TakesTheLengthFromTheHeader) {
  // RFC 4213 3.6: bytes behind the payload length are padding; some implementations add 4 to each
  // packet.
  const Bytes packet = padded(ipv6(kA6, kB6) / udp(1, 2) / payload(3), 4);
  const auto parsed = parse_ipv6(packet);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->bytes.size(), 51u);
  EXPECT_EQ(parsed->payload.size(), 11u);
}

TEST(Ipv6Parse, RefusesEveryTruncation) {
  const Bytes packet = ipv6(kA6, kB6) / payload(9);
  for (std::size_t size = 0; size < packet.size(); ++size)
    EXPECT_THAT(parse_ipv6(std::span{packet}.first(size)), FailsWith(Malformed::truncated));
}

TEST(Ipv6Parse, RefusesOtherVersions) {
  for (const std::uint8_t version : std::initializer_list<std::uint8_t>{0, 4, 7, 15})
    EXPECT_THAT(parse_ipv6(ipv6(kA6, kB6, {.version = version}).bytes()),
                FailsWith(Malformed::bad_version));
}

TEST(Ipv6ParseQuoted, TakesWhatIsCutShort) {
  const Bytes packet = ipv6(kA6, kB6) / payload(1000);
  const auto parsed = parse_quoted_ipv6(std::span{packet}.first(48));
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->bytes.size(), 48u);
  EXPECT_THAT(parsed->payload, SameBytes(pattern(8)));
  EXPECT_EQ(parse_quoted_ipv6(padded(ipv6(kA6, kB6) / payload(8), 9).bytes())->bytes.size(), 48u);
}

TEST(Ipv6ParseQuoted, RefusesWhatHasNoWholeHeader) {
  const Bytes packet = ipv6(kA6, kB6) / payload(8);
  for (std::size_t size = 0; size < 40; ++size)
    EXPECT_THAT(parse_quoted_ipv6(std::span{packet}.first(size)), FailsWith(Malformed::truncated));
  EXPECT_THAT(parse_quoted_ipv6(ipv6(kA6, kB6, {.version = std::uint8_t{4}}).bytes()),
              FailsWith(Malformed::bad_version));
}

struct Chain {
  const char* name;
  Drawing drawing;
  std::uint8_t protocol;
  std::size_t offset_bytes;
};

TEST(Ipv6FindUpperLayer, WalksExtensionHeaders) {
  // RFC 8200 4; AH counts in words of 4, less 2: RFC 4302 2.2.
  const Chain chains[] = {
      {"none", udp(1, 2), 17, 40},
      {"nothing", payload(0), 59, 40},
      {"hop-by-hop", hop_by_hop() / udp(1, 2), 17, 48},
      {"long options", hop_by_hop(2048) / udp(1, 2), 17, 2088},
      {"routing", routing(24) / tcp(1, 2), 6, 64},
      {"destination options", destination_options(16) / icmpv6(128, 0), 58, 56},
      {"AH", authentication(24) / udp(1, 2), 17, 64},
      {"AH of 12 bytes", authentication(12) / udp(1, 2), 17, 52},
      {"all, in the order of RFC 8200 4.1",
       hop_by_hop() / destination_options() / routing() / fragment(0, false) / authentication() /
           destination_options() / tcp(1, 2),
       6, 40 + 8 + 8 + 8 + 8 + 24 + 8},
      {"what is no extension header", ipv6(kA6, kB6), 41, 40},
  };
  for (const Chain& chain : chains) {
    SCOPED_TRACE(chain.name);
    const Bytes packet = ipv6(kA6, kB6) / chain.drawing;
    const auto upper = find_upper_layer(*parse_ipv6(packet));
    ASSERT_TRUE(upper);
    EXPECT_EQ(upper->protocol, chain.protocol);
    EXPECT_EQ(upper->offset_bytes, chain.offset_bytes);
    EXPECT_FALSE(upper->is_fragment);
  }
}

TEST(Ipv6FindUpperLayer, StopsAtAFragmentThatIsNotTheFirst) {
  // The next bytes are the middle of a packet: they must not be parsed as an extension header.
  const Bytes packet = ipv6(kA6, kB6) / hop_by_hop() / fragment(8, true) / destination_options();
  const auto upper = find_upper_layer(*parse_ipv6(packet));
  ASSERT_TRUE(upper);
  EXPECT_EQ(upper->protocol, 60);
  EXPECT_EQ(upper->offset_bytes, 56u);
  EXPECT_TRUE(upper->is_fragment);
  EXPECT_FALSE(upper->is_first_fragment);
}

TEST(Ipv6FindUpperLayer, GoesOnBehindTheFirstFragment) {
  const Bytes packet =
      ipv6(kA6, kB6) / fragment(0, true) / destination_options() / udp(1, 2) / payload(16);
  const auto upper = find_upper_layer(*parse_ipv6(packet));
  ASSERT_TRUE(upper);
  EXPECT_EQ(upper->protocol, 17);
  EXPECT_EQ(upper->offset_bytes, 56u);
  EXPECT_TRUE(upper->is_fragment);
  EXPECT_TRUE(upper->is_first_fragment);
}

TEST(Ipv6FindUpperLayer, RemembersAFragmentHeaderBehindAnother) {
  const Bytes packet = ipv6(kA6, kB6) / fragment(0, true) / fragment(0, false) / udp(1, 2);
  const auto upper = find_upper_layer(*parse_ipv6(packet));
  ASSERT_TRUE(upper);
  EXPECT_TRUE(upper->is_fragment);
  EXPECT_TRUE(upper->is_first_fragment);
}

TEST(Ipv6FindUpperLayer, TakesAnAtomicFragmentForAWholePacket) {
  // RFC 6946.
  const auto upper =
      find_upper_layer(*parse_ipv6((ipv6(kA6, kB6) / fragment(0, false) / udp(1, 2)).bytes()));
  ASSERT_TRUE(upper);
  EXPECT_FALSE(upper->is_fragment);
  EXPECT_FALSE(upper->is_first_fragment);
  EXPECT_EQ(upper->offset_bytes, 48u);
}

TEST(Ipv6FindUpperLayer, RefusesAChainThatEndsWithin) {
  const Bytes packet = ipv6(kA6, kB6) / hop_by_hop(16) / authentication(24) / fragment(0, true);
  for (std::size_t size = 40; size < packet.size(); ++size) {
    const auto quoted = parse_quoted_ipv6(std::span{packet}.first(size));
    ASSERT_TRUE(quoted);
    EXPECT_THAT(find_upper_layer(*quoted), FailsWith(Malformed::truncated)) << size;
  }
  EXPECT_TRUE(find_upper_layer(*parse_ipv6(packet)));
}

TEST(Ipv6FindUpperLayer, EndsOnTheLongestChainThereIs) {
  // 8,191 headers of 8 bytes in 65,528: bounded by the packet.
  Bytes packet(40 + 65528);
  const Bytes fixed = ipv6(kA6, kB6, {.payload_bytes = std::uint16_t{65528}}) / hop_by_hop();
  std::copy_n(fixed.begin(), 40, packet.begin());
  EXPECT_THAT(find_upper_layer(*parse_ipv6(packet)), FailsWith(Malformed::truncated));
}

TEST(Ipv6Build, WritesWhatTheDrawingSays) {
  Bytes header(40);
  build_ipv6(std::span{header}.first<40>(), {.source = *Ipv6Address::from_text(kA6),
                                             .destination = *Ipv6Address::from_text(kB6),
                                             .traffic_class = 0xb9,
                                             .next_header = 58,
                                             .hop_limit = 255,
                                             .payload_bytes = 0xfedc});
  EXPECT_THAT(header, SameBytes(ipv6(kA6, kB6,
                                     {.traffic_class = 0xb9,
                                      .hop_limit = 255,
                                      .payload_bytes = std::uint16_t{0xfedc},
                                      .next_header = std::uint8_t{58}})
                                    .bytes()));
}

TEST(Ipv6Set, ChangesThatFieldAlone) {
  for (unsigned value = 0; value < 256; ++value) {
    const auto traffic_class = static_cast<std::uint8_t>(value);
    Bytes packet = ipv6(kA6, kB6, {.traffic_class = 0x5a, .flow_label = 0xfffff}) / payload(3);
    set_ipv6_traffic_class(packet, traffic_class);
    set_ipv6_payload_bytes(packet, 2);
    EXPECT_THAT(packet, SameBytes((ipv6(kA6, kB6,
                                        {.traffic_class = traffic_class,
                                         .flow_label = 0xfffff,
                                         .payload_bytes = std::uint16_t{2}}) /
                                   payload(3))
                                      .bytes()));
  }
}

}  // namespace
}  // namespace culvert::proto
