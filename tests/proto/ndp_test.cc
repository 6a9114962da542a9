#include "proto/ndp.h"

#include <gtest/gtest.h>

#include "tests/support/packet_matchers.h"

namespace culvert::proto {
namespace {

using namespace culvert::test;

constexpr auto kAsker = "fe80::1", kTarget = "2001:db8::a1:b2c3", kGroup = "ff02::1:ffa1:b2c3";
constexpr EthernetAddress kAddress{{0x02, 0, 0, 0, 0, 0x2a}};
constexpr std::uint8_t kSolicit = 135, kAdvertise = 136;
constexpr Ipv6Extra kOnLink{.hop_limit = 255};

Ipv6Address address(const char* text) { return *Ipv6Address::from_text(text); }

/// The message after its first eight bytes: the target and the options.
Drawing body(const char* target, const char* options = "") {
  const auto bytes = address(target).bytes;
  Bytes all(bytes.begin(), bytes.end());
  const Bytes more = hex(options);
  all.insert(all.end(), more.begin(), more.end());
  return payload(all);
}
constexpr auto kSourceOption = "01 01 02 00 00 00 00 2a", kTargetOption = "02 01 02 00 00 00 00 2a";

Drawing solicitation(const char* options = kSourceOption) {
  return ipv6(kAsker, kGroup, kOnLink) / icmpv6(kSolicit, 0) / body(kTarget, options);
}
Parsed<NeighborMessage> parse(const Drawing& drawing) {
  const Bytes packet = drawing;
  return parse_neighbor_message(packet);
}

TEST(SolicitedNodeGroup, HasTheLastThreeBytesOfTheTarget) {
  // RFC 4291 2.7.1, its example.
  EXPECT_EQ(solicited_node_group(address("4037::1:800:200e:8c6c")), address("ff02::1:ff0e:8c6c"));
  EXPECT_TRUE(is_solicited_node_group(address("ff02::1:ff00:0")));
  EXPECT_FALSE(is_solicited_node_group(address("ff02::1:fe00:0")));
  EXPECT_FALSE(is_solicited_node_group(address("ff02::1")));
  EXPECT_EQ(kAllNodes, address("ff02::1"));
}

TEST(EthernetGroup, HasTheLastFourBytesOfTheGroup) {
  // RFC 2464 7.
  EXPECT_EQ(ethernet_group(kAllNodes), (EthernetAddress{{0x33, 0x33, 0, 0, 0, 1}}));
  EXPECT_EQ(ethernet_group(address(kGroup)),
            (EthernetAddress{{0x33, 0x33, 0xff, 0xa1, 0xb2, 0xc3}}));
}

TEST(NeighborMessageParse, ReadsASolicitation) {
  // RFC 4861 4.3.
  const auto message = parse(solicitation());
  ASSERT_TRUE(message);
  EXPECT_EQ(message->type, NeighborMessageType::solicitation);
  EXPECT_EQ(message->source, address(kAsker));
  EXPECT_EQ(message->destination, address(kGroup));
  EXPECT_EQ(message->target, address(kTarget));
  EXPECT_TRUE(message->has_address);
  EXPECT_EQ(message->address, kAddress);
}

TEST(NeighborMessageParse, ReadsAnAdvertisement) {
  // RFC 4861 4.4: R, S and O are the three highest bits of the second word.
  for (unsigned flags = 0; flags < 8; ++flags) {
    const auto message = parse(ipv6(kTarget, kAsker, kOnLink) / icmpv6(kAdvertise, 0, flags << 29) /
                               body(kTarget, kTargetOption));
    ASSERT_TRUE(message);
    EXPECT_EQ(message->type, NeighborMessageType::advertisement);
    EXPECT_EQ(message->router, (flags & 4) != 0);
    EXPECT_EQ(message->solicited, (flags & 2) != 0);
    EXPECT_EQ(message->override, (flags & 1) != 0);
    EXPECT_EQ(message->address, kAddress);
  }
}

TEST(NeighborMessageParse, SkipsOtherOptions) {
  // RFC 4861 4.6: an unknown option (14, nonce), an MTU, the link-layer address option of the other
  // message type, and an address with another length than Ethernet's; in any order. RFC 4861 7.1.1:
  // they are ignored.
  const auto message = parse(
      solicitation("0e 01 11 22 33 44 55 66  05 01 00 00 00 00 05 dc  02 01 02 00 00 00 00 99"
                   "01 02 00 00 00 00 00 00 00 00 00 00 00 00 00 99  01 01 02 00 00 00 00 2a"));
  ASSERT_TRUE(message);
  EXPECT_TRUE(message->has_address);
  EXPECT_EQ(message->address, kAddress);
  const auto without = parse(solicitation("0e 01 11 22 33 44 55 66"));
  ASSERT_TRUE(without);
  EXPECT_FALSE(without->has_address);
}

TEST(NeighborMessageParse, TakesDuplicateAddressDetection) {
  // RFC 4862 5.4.2: source ::, to the group, without an address; with a nonce (RFC 7527) too.
  const auto message = parse(ipv6("::", kGroup, kOnLink) / icmpv6(kSolicit, 0) /
                             body(kTarget, "0e 01 11 22 33 44 55 66"));
  ASSERT_TRUE(message);
  EXPECT_TRUE(message->source.is_unspecified());
}

TEST(NeighborMessageParse, LooksBehindExtensionHeaders) {
  EXPECT_TRUE(parse(ipv6(kAsker, kGroup, kOnLink) / hop_by_hop() / destination_options() /
                    icmpv6(kSolicit, 0) / body(kTarget)));
}

/// A message whose extension header has one option of this type. The ICMPv6 checksum does not cover it.
Bytes with_option(const Drawing& extension, int type) {
  Bytes packet = ipv6(kAsker, kGroup, kOnLink) / extension / icmpv6(kSolicit, 0) / body(kTarget);
  packet[kIpv6HeaderBytes + 2] = static_cast<std::byte>(type);
  return packet;
}

TEST(NeighborMessageParse, ObeysTheActionOfUnknownOptions) {
  // RFC 8200 4.2: 00 skip, 01 discard, 10 and 11 discard and say so.
  for (const int type : {0x3e, 0x05, 0x1e})
    EXPECT_TRUE(parse_neighbor_message(with_option(hop_by_hop(), type))) << type;
  for (const int type : {0x7e, 0xbe, 0xfe}) {
    EXPECT_THAT(parse_neighbor_message(with_option(hop_by_hop(), type)),
                FailsWith(Malformed::unknown_extension_option));
    EXPECT_THAT(parse_neighbor_message(with_option(destination_options(), type)),
                FailsWith(Malformed::unknown_extension_option));
  }
  Bytes too_long = with_option(hop_by_hop(), 0x3e);
  too_long[kIpv6HeaderBytes + 3] = std::byte{5};
  EXPECT_THAT(parse_neighbor_message(too_long), FailsWith(Malformed::unknown_extension_option));
}

TEST(NeighborMessageParse, WantsHopByHopOptionsFirst) {  // RFC 8200 4.1
  EXPECT_THAT(parse(ipv6(kAsker, kGroup, kOnLink) / destination_options() / hop_by_hop() /
                    icmpv6(kSolicit, 0) / body(kTarget)),
              FailsWith(Malformed::misplaced_hop_by_hop));
}

TEST(NeighborMessageParse, RefusesFragments) {
  // RFC 6980 5: any Fragment header, also one in front of the whole message.
  for (const bool more : {false, true}) {
    EXPECT_THAT(parse(ipv6(kAsker, kGroup, kOnLink) / fragment(0, more) / icmpv6(kSolicit, 0) /
                      body(kTarget)),
                FailsWith(Malformed::fragmented));
  }
  EXPECT_THAT(parse(ipv6(kAsker, kGroup, kOnLink) / fragment(8, false) / icmpv6(kSolicit, 0) /
                    body(kTarget)),
              FailsWith(Malformed::fragmented));
  EXPECT_THAT(parse(ipv6(kAsker, kGroup, kOnLink) / destination_options() / fragment(0, false) /
                    icmpv6(kSolicit, 0) / body(kTarget)),
              FailsWith(Malformed::fragmented));
}

TEST(NeighborMessageParse, RefusesOtherMessages) {
  for (const int type : {0, 128, 133, 134, 137}) {
    EXPECT_THAT(parse(ipv6(kAsker, kGroup, kOnLink) / icmpv6(static_cast<std::uint8_t>(type), 0) /
                      body(kTarget)),
                FailsWith(Malformed::not_neighbor_discovery));
  }
  EXPECT_THAT(parse(ipv6(kAsker, kGroup, kOnLink) / hop_by_hop() / udp(1, 2) / payload(32)),
              FailsWith(Malformed::not_neighbor_discovery));
}

TEST(NeighborMessageParse, WantsHopLimit255) {
  // RFC 4861 7.1.1, 7.1.2: a router has forwarded a packet with a lower hop limit.
  for (const std::uint8_t type : {kSolicit, kAdvertise}) {
    EXPECT_THAT(parse(ipv6(kAsker, kGroup, {.hop_limit = 254}) / icmpv6(type, 0) / body(kTarget)),
                FailsWith(Malformed::bad_hop_limit));
  }
}

TEST(NeighborMessageParse, WantsCode0) {
  EXPECT_THAT(parse(ipv6(kAsker, kGroup, kOnLink) / icmpv6(kSolicit, 1) / body(kTarget)),
              FailsWith(Malformed::bad_code));
}

TEST(NeighborMessageParse, WantsATargetThatIsNotMulticast) {
  EXPECT_THAT(parse(ipv6(kAsker, kGroup, kOnLink) / icmpv6(kSolicit, 0) / body("ff02::1")),
              FailsWith(Malformed::multicast_target));
}

TEST(NeighborMessageParse, WantsOptionsThatFit) {
  // RFC 4861 7.1.1: length 0, and an option that ends beyond the message.
  for (const auto* options :
       {"0e 00 00 00 00 00 00 00", "01 02 02 00 00 00 00 2a", "01", "01 01 02 00 00 00 00 2a 0e"}) {
    EXPECT_THAT(parse(solicitation(options)), FailsWith(Malformed::bad_option)) << options;
  }
}

TEST(NeighborMessageParse, WantsTheGroupOfAnUnspecifiedSource) {
  for (const auto* destination : {kTarget, "ff02::1", "ff02::2:ffa1:b2c3"}) {
    EXPECT_THAT(parse(ipv6("::", destination, kOnLink) / icmpv6(kSolicit, 0) / body(kTarget)),
                FailsWith(Malformed::destination_not_solicited_node));
  }
}

TEST(NeighborMessageParse, WantsNoAddressOfAnUnspecifiedSource) {
  EXPECT_THAT(
      parse(ipv6("::", kGroup, kOnLink) / icmpv6(kSolicit, 0) / body(kTarget, kSourceOption)),
      FailsWith(Malformed::unspecified_source_with_address));
}

TEST(NeighborMessageParse, WantsNoSolicitedFlagToAGroup) {
  // RFC 4861 7.1.2.
  EXPECT_THAT(
      parse(ipv6(kTarget, "ff02::1", kOnLink) / icmpv6(kAdvertise, 0, 1u << 30) / body(kTarget)),
      FailsWith(Malformed::solicited_flag_on_multicast));
}

TEST(NeighborMessageParse, RefusesAnyFlippedBitOfTheMessage) {
  const Bytes packet = solicitation();
  for (std::size_t bit = 8 * kIpv6HeaderBytes; bit < 8 * packet.size(); ++bit) {
    Bytes damaged = packet;
    damaged[bit / 8] ^= std::byte(1 << bit % 8);
    EXPECT_FALSE(parse_neighbor_message(damaged)) << "bit " << bit;
  }
  EXPECT_THAT(parse(ipv6(kAsker, kGroup, kOnLink) / icmpv6(kSolicit, 0, 0, 0x1234) / body(kTarget)),
              FailsWith(Malformed::bad_checksum));
}

TEST(NeighborMessageParse, RefusesWhatEndsEarly) {
  const Bytes packet = solicitation();
  for (std::size_t size = 0; size < packet.size(); ++size) {
    EXPECT_THAT(parse_neighbor_message(std::span{packet}.first(size)),
                FailsWith(Malformed::truncated));
  }
  EXPECT_THAT(parse(ipv6(kAsker, kGroup, kOnLink) / icmpv6(kSolicit, 0) / payload(15)),
              FailsWith(Malformed::truncated));
}

TEST(NeighborAdvertisementBuild, WritesWhatTheDrawingSays) {
  for (unsigned flags = 0; flags < 8; ++flags) {
    const Bytes expected = ipv6(kAsker, kTarget, kOnLink) / icmpv6(kAdvertise, 0, flags << 29) /
                           body(kTarget, kTargetOption);
    std::array<std::byte, kNeighborAdvertisementBytes> out{};
    build_neighbor_advertisement(out, {.source = address(kAsker),
                                       .destination = address(kTarget),
                                       .target = address(kTarget),
                                       .router = (flags & 4) != 0,
                                       .solicited = (flags & 2) != 0,
                                       .override = (flags & 1) != 0,
                                       .address = kAddress});
    EXPECT_THAT(out, SameBytes(expected));
  }
}

TEST(NeighborAdvertisementBuild, WritesTheBytesOfRfc4861) {
  // RFC 4861 4.4 and 4.6.1, by hand; the checksum as RFC 1071 4.1 sums it.
  const Bytes expected =
      hex("60 00 00 00 00 20 3a ff  fe 80 00 00 00 00 00 00 00 00 00 00 00 00 00 01"
          "ff 02 00 00 00 00 00 00 00 00 00 00 00 00 00 01  88 00 c8 39 80 00 00 00"
          "20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 01  02 01 02 00 00 00 00 2a");
  std::array<std::byte, kNeighborAdvertisementBytes> out{};
  build_neighbor_advertisement(out, {.source = address("fe80::1"),
                                     .destination = kAllNodes,
                                     .target = address("2001:db8::1"),
                                     .router = true,
                                     .address = kAddress});
  EXPECT_THAT(out, SameBytes(expected));
}

TEST(NeighborSolicitationBuild, WritesWhatTheDrawingSays) {
  std::array<std::byte, kNeighborSolicitationMaxBytes> out{};
  NeighborSolicitationFields fields{.source = address(kAsker),
                                    .destination = address(kGroup),
                                    .target = address(kTarget),
                                    .address = kAddress};
  std::size_t size = build_neighbor_solicitation(out, fields);
  EXPECT_THAT(std::span{out}.first(size), SameBytes(Bytes{solicitation()}));
  fields.address.reset();
  size = build_neighbor_solicitation(out, fields);
  EXPECT_EQ(size, 64u);
  EXPECT_THAT(std::span{out}.first(size), SameBytes(Bytes{solicitation("")}));
}

}  // namespace
}  // namespace culvert::proto
