#include "engine/flows/flow_key.h"

#include <gtest/gtest.h>

#include "proto/ipv4.h"
#include "tests/support/link_header.h"
#include "tests/support/packet_builder.h"

namespace culvert {
namespace {

using namespace test;

constexpr const char* kFar = "2001:db8:f::1";
constexpr const char* kNear = "2001:db8:e::2";
constexpr const char* kFar4 = "192.0.2.1";
constexpr const char* kNear4 = "198.51.100.2";
constexpr std::uint8_t kEchoRequest = 128, kEchoReply = 129, kPacketTooBig = 2;

FlowPacket flow_of(const Bytes& packet, Direction direction) {
  const PacketMeta meta = classify(packet);
  EXPECT_TRUE(meta.has_ip_header());
  return culvert::flow_of(meta, packet, direction);
}
FlowPacket in(const Drawing& packet) { return flow_of(packet, Direction::inbound); }
FlowPacket out(const Drawing& packet) { return flow_of(packet, Direction::outbound); }

proto::Ipv6Address address(const char* text) { return *proto::Ipv6Address::from_text(text); }

Drawing request(const char* far = kFar, const char* near = kNear) {
  return ipv6(far, near) / udp(53, 1024) / payload(8);
}

TEST(FlowKey, IsTheSameForBothDirections) {
  const FlowPacket there = in(ipv6(kFar, kNear) / udp(53, 1024) / payload(8));
  const FlowPacket back = out(ipv6(kNear, kFar) / udp(1024, 53) / payload(8));
  EXPECT_EQ(there.role, FlowRole::packet);
  EXPECT_EQ(there.key, back.key);
  EXPECT_EQ(there.key.far, address(kFar));
  EXPECT_EQ(there.key.near, address(kNear));
  EXPECT_EQ(there.key.far_port(), 53);
  EXPECT_EQ(there.key.near_port(), 1024);
  EXPECT_EQ(there.key.protocol, proto::kProtocolUdp);
  EXPECT_FALSE(there.key.is_ipv4());
  EXPECT_EQ(there.key.far_text(), kFar);
  EXPECT_FALSE(there.key.identifier());
}

TEST(FlowKey, IsMirroredWhereAPacketGoesTheOtherWay) {
  EXPECT_EQ(out(request()).key.mirrored(), in(request()).key);
  const Drawing echo =
      ipv6("2001:db8::1", "2001:db8::2") / icmpv6(128, 0, 0x1234'0001) / payload(8);
  EXPECT_EQ(out(echo).key.mirrored(), in(echo).key);
  EXPECT_NE(out(request()).key, in(request()).key);
}

TEST(FlowKey, DiffersByEachOfTheFive) {
  const FlowKey key = in(request()).key;
  EXPECT_NE(key, in(request("2001:db8:f::3")).key);
  EXPECT_NE(key, in(request(kFar, "2001:db8:e::3")).key);
  EXPECT_NE(key, in(ipv6(kFar, kNear) / udp(54, 1024)).key);
  EXPECT_NE(key, in(ipv6(kFar, kNear) / udp(53, 1025)).key);
  EXPECT_NE(key, in(ipv6(kFar, kNear) / tcp(53, 1024)).key);
  EXPECT_NE(key, out(request()).key);  // far and near are exchanged
}

TEST(FlowKey, IsTheSameBehindALinkLayerHeader) {
  const Drawing quoted = ipv6(kNear, kFar) / udp(1024, 53);
  for (const Bytes& packet :
       {Bytes(request()), Bytes(ipv6(kFar, kNear) / icmpv6(kEchoRequest, 0, 77 << 16)),
        Bytes(ipv6(kFar, kNear) / icmpv6(kPacketTooBig, 0) / payload(quoted.bytes())),
        Bytes(ipv6(kFar, kNear) / fragment(0, true, 9) / udp(53, 1024) / payload(8)),
        Bytes(ipv4(kFar4, kNear4) / tcp(80, 1024, {.flags = 0x12}))}) {
    const FlowPacket expected = flow_of(packet, Direction::inbound);
    EXPECT_NE(expected.role, FlowRole::none);
    for (const std::size_t link_bytes : kLinkHeaderSizes) {
      const Bytes frame = with_link_header(packet, link_bytes);
      const FlowPacket flow =
          culvert::flow_of(classify(frame, link_bytes), frame, Direction::inbound);
      EXPECT_EQ(flow.key, expected.key);
      EXPECT_EQ(flow.role, expected.role);
      EXPECT_EQ(flow.tcp_flags, expected.tcp_flags);
      EXPECT_EQ(flow.fragments_word, expected.fragments_word);
    }
  }
}

TEST(FlowKey, SaysTheFlagsOfTcp) {
  const FlowPacket flow = in(ipv6(kFar, kNear) / tcp(80, 1024, {.flags = 0x12}));
  EXPECT_EQ(flow.key.protocol, proto::kProtocolTcp);
  EXPECT_EQ(flow.tcp_flags, 0x12);
  EXPECT_EQ(in(ipv6(kFar, kNear) / hop_by_hop() / tcp(80, 1024, {.flags = 0x12})).key, flow.key);
  EXPECT_EQ(in(request()).tcp_flags, 0);
}

TEST(FlowKey, HasMappedAddressesForIpv4) {
  const FlowPacket there = in(ipv4(kFar4, kNear4) / tcp(80, 1024) / payload(8));
  EXPECT_EQ(there.key, out(ipv4(kNear4, kFar4) / tcp(1024, 80) / payload(8)).key);
  EXPECT_EQ(there.key.far, address("::ffff:192.0.2.1"));
  EXPECT_EQ(there.key.near, address("::ffff:198.51.100.2"));
  EXPECT_TRUE(there.key.is_ipv4());
  EXPECT_EQ(there.key.far_text(), kFar4);
  EXPECT_EQ(there.key.near_text(), kNear4);
}

TEST(FlowKey, TakesTheIdentifierOfAnEcho) {
  const auto echo = [](std::uint8_t type, const char* from, const char* to) {
    return ipv6(from, to) / icmpv6(type, 0, 0x1234'0001) / payload(8);
  };
  const FlowPacket request = in(echo(kEchoRequest, kFar, kNear));
  EXPECT_EQ(request.role, FlowRole::packet);
  EXPECT_EQ(request.key, out(echo(kEchoReply, kNear, kFar)).key);
  EXPECT_EQ(request.key.identifier(), 0x1234u);
  EXPECT_EQ(request.key.far_port(), 0);
  const FlowPacket request4 = in(ipv4(kFar4, kNear4) / icmpv4(8, 0, 0x1234'0001));
  EXPECT_EQ(request4.key, out(ipv4(kNear4, kFar4) / icmpv4(0, 0, 0x1234'0002)).key);
  EXPECT_EQ(request4.key.identifier(), 0x1234u);
  EXPECT_EQ(request4.key.protocol, proto::kProtocolIcmp);
}

TEST(FlowKey, OfOtherProtocolsIsThePairOfAddresses) {
  const FlowPacket esp = in(ipv6(kFar, kNear, {.next_header = 50}) / payload(20));
  EXPECT_EQ(esp.role, FlowRole::packet);
  EXPECT_EQ(esp.key.word, 0u);
  EXPECT_EQ(esp.key.protocol, 50);
  // ICMPv6 without an identifier, as neighbor discovery between global addresses
  const FlowPacket neighbor = in(ipv6(kFar, kNear) / icmpv6(135, 0) / payload(16));
  EXPECT_EQ(neighbor.role, FlowRole::packet);
  EXPECT_EQ(neighbor.key.protocol, proto::kProtocolIcmpv6);
  EXPECT_FALSE(neighbor.key.identifier());
  const FlowPacket identifier0 = in(ipv6(kFar, kNear) / icmpv6(kEchoRequest, 0, 0));
  EXPECT_NE(neighbor.key, identifier0.key);
}

TEST(FlowKey, PinsNeitherMulticastNorLinkLocal) {
  for (const char* other : {"fe80::1", "ff02::1", "ff0e::7", "::"}) {
    EXPECT_EQ(in(request(kFar, other)).role, FlowRole::none) << other;
    EXPECT_EQ(in(request(other, kNear)).role, FlowRole::none) << other;
  }
  for (const char* other : {"169.254.3.4", "224.0.0.1", "255.255.255.255", "0.0.0.0"}) {
    EXPECT_EQ(in(ipv4(kFar4, other) / udp(1, 2)).role, FlowRole::none) << other;
    EXPECT_EQ(in(ipv4(other, kNear4) / udp(1, 2)).role, FlowRole::none) << other;
  }
}

TEST(FlowKey, NeedsThePortsToBeThere) {
  EXPECT_EQ(in(ipv6(kFar, kNear, {.next_header = proto::kProtocolUdp}) / payload(3)).role,
            FlowRole::none);
  EXPECT_EQ(in(ipv6(kFar, kNear, {.next_header = proto::kProtocolUdp}) / payload(4)).role,
            FlowRole::packet);
  EXPECT_EQ(in(ipv6(kFar, kNear, {.next_header = proto::kProtocolTcp}) / payload(13)).tcp_flags, 0);
  EXPECT_EQ(in(ipv6(kFar, kNear, {.next_header = proto::kProtocolIcmpv6}) / payload(7)).role,
            FlowRole::none);
  EXPECT_EQ(in(ipv4(kFar4, kNear4, {.protocol = 44}) / payload(8)).role, FlowRole::none);
}

// ---- fragments ----------------------------------------------------------------------------------

TEST(FlowKey, FindsLaterFragmentsByTheFirst) {
  const FlowPacket first = in(ipv6(kFar, kNear) / fragment(0, true, 0xabcd'1234) /
                              udp(53, 1024, {.checksum = 1}) / payload(16));
  const FlowPacket later = in(ipv6(kFar, kNear, {.next_header = 44}) /
                              payload(hex("11 00 00 19 ab cd 12 34  01 02 03 04 05 06 07 08")));
  EXPECT_EQ(first.role, FlowRole::first_fragment);
  EXPECT_EQ(first.key, in(request()).key);
  EXPECT_EQ(later.role, FlowRole::packet);
  EXPECT_EQ(later.key, first.fragments());
  EXPECT_EQ(later.key.identifier(), 0xabcd'1234u);
  EXPECT_NE(later.key, first.key);
}

// RFC 6946 4: an unfragmented packet with a Fragment header is not a fragment.
TEST(FlowKey, TakesAnAtomicFragmentAsAPacket) {
  const FlowPacket flow = in(ipv6(kFar, kNear) / fragment(0, false, 7) / udp(53, 1024));
  EXPECT_EQ(flow.role, FlowRole::packet);
  EXPECT_EQ(flow.key, in(request()).key);
}

TEST(FlowKey, FindsLaterFragmentsOfIpv4ByProtocolToo) {
  const auto piece = [](std::uint16_t offset, bool more, std::uint8_t protocol) {
    return ipv4(kFar4, kNear4,
                {.identification = 99,
                 .dont_fragment = false,
                 .more_fragments = more,
                 .fragment_offset_bytes = offset,
                 .protocol = protocol}) /
           payload(16);
  };
  const FlowPacket first = in(piece(0, true, proto::kProtocolUdp));
  EXPECT_EQ(first.role, FlowRole::first_fragment);
  EXPECT_EQ(first.key.protocol, proto::kProtocolUdp);
  EXPECT_EQ(in(piece(16, false, proto::kProtocolUdp)).key, first.fragments());
  EXPECT_NE(in(piece(16, false, proto::kProtocolTcp)).key, first.fragments());
  EXPECT_EQ(first.fragments().identifier(), 99u);
}

// ---- errors -------------------------------------------------------------------------------------

TEST(FlowKey, OfAnErrorIsThatOfTheQuotedPacket) {
  // An inbound packet was too big for a next link: a near router sends an error to its far sender.
  const FlowPacket error =
      out(ipv6("2001:db8:e::ffff", kFar) / icmpv6(kPacketTooBig, 0, 1280) / request());
  EXPECT_EQ(error.role, FlowRole::error);
  EXPECT_EQ(error.key, in(request()).key);
  // The opposite direction: a far router sends an error about an outbound packet.
  const FlowPacket from_far = in(ipv6("2001:db8:f::ffff", kNear) / icmpv6(3, 0) /
                                 ipv6(kNear, kFar) / udp(1024, 53) / payload(8));
  EXPECT_EQ(from_far.role, FlowRole::error);
  EXPECT_EQ(from_far.key, in(request()).key);
}

TEST(FlowKey, OfAnErrorNeedsNoMoreThanThePortsOfTheQuote) {
  Bytes quote = request();
  quote.resize(44);  // fixed header and ports, cut behind them
  const auto error = [&] {
    return out(ipv6("2001:db8:e::ffff", kFar) / icmpv6(kPacketTooBig, 0, 1280) / payload(quote));
  };
  EXPECT_EQ(error().key, in(request()).key);
  quote.resize(43);
  EXPECT_EQ(error().role, FlowRole::none);
}

TEST(FlowKey, OfAnErrorAboutAnEchoAndAFragment) {
  const Drawing ping = ipv6(kFar, kNear) / icmpv6(kEchoRequest, 0, 0x0007'0001);
  EXPECT_EQ(out(ipv6(kNear, kFar) / icmpv6(1, 3) / ping).key, in(ping).key);
  const Drawing later = ipv6(kFar, kNear, {.next_header = 44}) /
                        payload(hex("11 00 00 19 ab cd 12 34  01 02 03 04 05 06 07 08"));
  const FlowPacket error = out(ipv6(kNear, kFar) / icmpv6(1, 3) / later);
  EXPECT_EQ(error.role, FlowRole::error);
  EXPECT_EQ(error.key, in(later).key);
}

TEST(FlowKey, OfAnErrorInIpv4) {
  const Drawing packet = ipv4(kFar4, kNear4) / tcp(80, 1024, {.flags = 2}) / payload(8);
  const FlowPacket error = out(ipv4("198.51.100.254", kFar4) / icmpv4(3, 4, 1280) / packet);
  EXPECT_EQ(error.role, FlowRole::error);
  EXPECT_EQ(error.key, in(packet).key);
  EXPECT_EQ(error.tcp_flags, 0);
}

// RFC 4443 2.4(e.1)
TEST(FlowKey, NoErrorQuotesAnError) {
  const Drawing error = ipv6(kFar, kNear) / icmpv6(1, 3) / request(kNear, kFar);
  EXPECT_EQ(in(error).role, FlowRole::error);
  EXPECT_EQ(out(ipv6(kNear, kFar) / icmpv6(1, 3) / error).role, FlowRole::none);
}

}  // namespace
}  // namespace culvert
