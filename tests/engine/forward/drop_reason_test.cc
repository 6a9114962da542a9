// Provokes every drop reason: it is counted once, no other reason is counted, and received =
// forwarded + dropped + held.
#include <gtest/gtest.h>

#include <cerrno>

#include "proto/checksum.h"
#include "tests/support/packet_builder.h"
#include "tests/support/tunnel_rig.h"

namespace culvert::test {
namespace {

using proto::Gre;

Drawing inner() { return ipv6(kHost, kServer) / udp(1, 2) / payload(64); }
Drawing inner4() { return ipv4("10.0.0.1", "10.0.0.2") / udp(1, 2) / payload(64); }
Drawing inner_of(std::string_view source) { return ipv6(source, kServer) / udp(1, 2) / payload(8); }
Bytes sit(const Drawing& packet) { return ipv4(kRemoteText, kLocalText) / packet; }

// ---- outbound -----------------------------------------------------------------------------------

struct Outbound : ::testing::Test {
  void outbound(const Bytes& packet, const io::Offload& offload = {}) {
    rig.queues().put(io::Source::tun, packet, offload);
    rig.round();
  }
  TunnelRig rig{sit_config()};
};

TEST_F(Outbound, PacketLargerThanABuffer) {
  rig.queues().put(io::Source::tun, inner()).truncated = true;
  rig.round();
  expect_only_drop(rig, DropReason::tun_packet_truncated);
}

TEST_F(Outbound, NoIpPacket) {
  outbound(Bytes(40, std::byte{0x55}));
  expect_only_drop(rig, DropReason::tun_packet_malformed);
}

TEST_F(Outbound, OffloadHeaderOfAnUnknownKind) {
  rig.queues().put(io::Source::tun, inner()).has_bad_offload = true;
  rig.round();
  expect_only_drop(rig, DropReason::tun_offload_malformed);
}

TEST_F(Outbound, ChecksumPastThePacket) {
  outbound(inner(), {.needs_checksum = true, .checksum_start = 40, .checksum_offset = 600});
  expect_only_drop(rig, DropReason::tun_offload_malformed);
}

TEST_F(Outbound, Ipv4IntoSit) {
  outbound(ipv4("10.0.0.1", "10.0.0.2") / udp(1, 2) / payload(8));
  expect_only_drop(rig, DropReason::payload_unsupported);
}

TEST_F(Outbound, LargerThanTheTunnelMtu) {
  outbound(ipv6(kHost, kServer) / udp(1, 2) / payload(1480 - 48 + 1));
  expect_only_drop(rig, DropReason::packet_too_big);
  ASSERT_EQ(rig.queues().written.size(), 1u);  // Packet Too Big, RFC 4213 3.2
  EXPECT_EQ(rig.tunnel().too_big_sent, 1u);
}

TEST_F(Outbound, NoLocalAddress) {
  rig.path().local = proto::Ipv4Address{};
  outbound(inner());
  expect_only_drop(rig, DropReason::local_address_unknown);
}

TunnelConfig with_prefix(const char* prefix) {
  TunnelConfig config = sit_config();
  config.prefixes6 = {proto::Ipv6Prefix::from_text(prefix).value()};
  return config;
}

TEST(OutboundRoute, NoTunnelForItsDestination) {  // RFC 4443 3.1
  TunnelRig rig{with_prefix("2001:db8:ffff::/48")};
  rig.queues().put(io::Source::tun, inner());
  rig.round();
  expect_only_drop(rig, DropReason::no_tunnel_for_destination);
  ASSERT_EQ(rig.queues().written.size(), 1u);
  const Bytes& answer = rig.queues().written[0].bytes;
  EXPECT_EQ(answer.at(40), std::byte{1});  // destination unreachable
  EXPECT_EQ(answer.at(41), std::byte{0});  // no route
  EXPECT_EQ(rig.device().unreachable_sent, 1u);
}

TEST(OutboundRoute, NoTunnelForItsIpv4Destination) {  // RFC 792
  TunnelRig rig{with_prefix("2001:db8:ffff::/48")};
  rig.queues().put(io::Source::tun, ipv4("10.0.0.1", "10.0.0.2") / udp(1, 2) / payload(8));
  rig.round();
  expect_only_drop(rig, DropReason::no_tunnel_for_destination);
  ASSERT_EQ(rig.queues().written.size(), 1u);
  EXPECT_EQ(rig.queues().written[0].bytes.at(20), std::byte{3});
  EXPECT_EQ(rig.queues().written[0].bytes.at(21), std::byte{0});  // net unreachable
}

TEST(OutboundRoute, MulticastThatNoTunnelHasIsNotAnswered) {  // RFC 4443 2.4(e.3)
  TunnelRig rig{with_prefix("2001:db8:ffff::/48")};
  rig.queues().put(io::Source::tun, ipv6(kHost, "ff02::2") / udp(1, 2) / payload(8));
  rig.round();
  expect_only_drop(rig, DropReason::no_tunnel_for_destination);
  EXPECT_TRUE(rig.queues().written.empty());
}

TEST(OutboundRoute, UnreachableIsLimited) {  // RFC 4443 2.4(f)
  TunnelRig rig{with_prefix("2001:db8:ffff::/48")};
  for (std::uint64_t i = 0; i < 200; ++i) {
    rig.queues().put(io::Source::tun, inner());
    rig.round();
  }
  expect_only_drop(rig, DropReason::no_tunnel_for_destination, 200);
  EXPECT_EQ(rig.device().unreachable_sent, ErrorLimiter::kBurst);
  EXPECT_EQ(rig.device().unreachable_suppressed, 200 - ErrorLimiter::kBurst);
}

TEST(OutboundRoute, TunnelThatIsDown) {
  auto config = sit_config();
  config.up = false;
  TunnelRig rig{config};
  rig.queues().put(io::Source::tun, inner());
  rig.round();
  expect_only_drop(rig, DropReason::outbound_tunnel_down);
  EXPECT_EQ(rig.tunnel().dropped(DropReason::outbound_tunnel_down), 1u);
  EXPECT_EQ(rig.queues().written.size(), 1u);
}

TEST(OutboundRoute, RemoteThatNobodyKnows) {
  auto config = sit_config();
  config.remote = {};
  TunnelRig rig{config};
  rig.queues().put(io::Source::tun, inner());
  rig.round();
  expect_only_drop(rig, DropReason::remote_unknown);
  ASSERT_EQ(rig.queues().written.size(), 1u);
  EXPECT_EQ(rig.queues().written[0].bytes.at(41), std::byte{3});  // address unreachable
}

TEST(OutboundGre, ItsOwnOuterPacket) {  // RFC 2784 3.1
  TunnelRig rig{gre_config()};
  rig.queues().put(io::Source::tun, (ipv4(kLocalText, kRemoteText) / gre() / inner()).bytes());
  rig.round();
  expect_only_drop(rig, DropReason::routing_loop);
}

TEST(OutboundIpip, ItsOwnOuterPacket) {
  TunnelRig rig{ipip_config()};
  rig.queues().put(io::Source::tun, (ipv4(kLocalText, kRemoteText) / inner4()).bytes());
  rig.round();
  expect_only_drop(rig, DropReason::routing_loop);
}

TEST(OutboundIpip, APacketOfTheRemoteEndpoint) {  // RFC 2003 3.2
  TunnelRig rig{ipip_config()};
  rig.queues().put(io::Source::tun,
                   (ipv4(kRemoteText, "10.0.0.2") / udp(1, 2) / payload(8)).bytes());
  rig.round();
  expect_only_drop(rig, DropReason::routing_loop);
}

TEST(OutboundIpip, Ipv6) {
  TunnelRig rig{ipip_config()};
  rig.queues().put(io::Source::tun, inner());
  rig.round();
  expect_only_drop(rig, DropReason::payload_unsupported);
}

struct SendError {
  int error;
  DropReason reason;
};
class OutboundSend : public Outbound, public ::testing::WithParamInterface<SendError> {};
TEST_P(OutboundSend, FailsWithItsReason) {
  rig.queues().send_error = GetParam().error;
  outbound(inner());
  expect_only_drop(rig, GetParam().reason);
}
INSTANTIATE_TEST_SUITE_P(Errno, OutboundSend,
                         ::testing::Values(SendError{EAGAIN, DropReason::send_queue_full},
                                           SendError{ENOBUFS, DropReason::send_queue_full},
                                           SendError{ENETUNREACH, DropReason::send_no_route},
                                           SendError{ENETDOWN, DropReason::send_no_route},
                                           SendError{EPERM, DropReason::send_refused},
                                           SendError{EMSGSIZE, DropReason::send_too_big},
                                           SendError{EIO, DropReason::send_failed}));

// ---- inbound ------------------------------------------------------------------------------------

struct Arrival {
  const char* name;
  DropReason reason;
  TunnelConfig config;
  Bytes packet;
};
class Inbound : public ::testing::TestWithParam<Arrival> {};

TEST_P(Inbound, IsDroppedForOneReason) {
  TunnelRig rig{GetParam().config};
  rig.queues().put(io::Source::tunnel, GetParam().packet);
  rig.round();
  expect_only_drop(rig, GetParam().reason);
  EXPECT_TRUE(rig.queues().written.empty());
}

/// `packet` with the bytes from `offset` replaced.
Bytes with(Bytes packet, std::size_t offset, std::initializer_list<int> bytes) {
  for (const int value : bytes) packet.at(offset++) = std::byte(value);
  return packet;
}
/// The same for an outer header, with its checksum corrected.
Bytes with_outer(Bytes packet, std::size_t offset, std::initializer_list<int> bytes) {
  packet = with(std::move(packet), offset, bytes);
  packet = with(std::move(packet), 10, {0, 0});
  proto::store(packet, 10, proto::finish(proto::sum(std::span{packet}.first(20))));
  return packet;
}
Bytes gre_packet(std::initializer_list<int> header, const Bytes& packet = inner().bytes()) {
  Bytes bytes;
  for (const int value : header) bytes.push_back(std::byte(value));
  bytes.insert(bytes.end(), packet.begin(), packet.end());
  return ipv4(kRemoteText, kLocalText, {.protocol = proto::kProtocolGre}) / payload(bytes);
}
Bytes cut(Bytes packet, std::size_t size) {
  packet.resize(size);
  return packet;
}

std::vector<Arrival> arrivals() {
  using enum DropReason;
  const auto sit_tunnel = sit_config();
  const auto gre_tunnel = gre_config();
  return {
      {"OuterCutShort", outer_header_malformed, sit_tunnel, cut(sit(inner()), 19)},
      {"OuterVersion", outer_header_malformed, sit_tunnel, with(sit(inner()), 0, {0x55})},
      {"OuterHeaderLength", outer_header_malformed, sit_tunnel, with(sit(inner()), 0, {0x44})},
      {"OuterChecksum", outer_checksum_bad, sit_tunnel, with(sit(inner()), 10, {0xde, 0xad})},
      {"OuterFirstFragment", outer_fragment, sit_tunnel, with_outer(sit(inner()), 6, {0x20, 0})},
      {"OuterLastFragment", outer_fragment, sit_tunnel, with_outer(sit(inner()), 6, {0, 9})},
      {"OuterProtocol", outer_protocol_unknown, sit_tunnel, with_outer(sit(inner()), 9, {17})},
      {"UnknownRemote", tunnel_unknown, sit_tunnel, ipv4("198.51.100.2", kLocalText) / inner()},
      {"UnknownLocal", tunnel_unknown, sit_tunnel, ipv4(kRemoteText, "192.0.2.77") / inner()},
      {"OtherEncapsulation", tunnel_unknown, sit_tunnel, gre_packet({0, 0, 0x86, 0xdd})},
      {"KeyThatNobodyHas", tunnel_unknown, gre_tunnel,
       gre_packet({0x20, 0, 0x86, 0xdd, 0, 0, 0, 0})},
      {"KeyMissing", tunnel_unknown, gre_config({.ikey = 0}), gre_packet({0, 0, 0x86, 0xdd})},
      {"GreCutShort", tunnel_header_truncated, gre_tunnel, gre_packet({0x20, 0, 0x86, 0xdd}, {})},
      {"GrePptp", tunnel_version_unknown, gre_tunnel,
       gre_packet({0x20, 0x01, 0x88, 0x0b, 0, 0, 0, 0})},
      {"GreRouting", tunnel_reserved_bits_set, gre_tunnel, gre_packet({0x40, 0, 0x86, 0xdd})},
      {"GreStrictSourceRoute", tunnel_reserved_bits_set, gre_tunnel,
       gre_packet({0x08, 0, 0x86, 0xdd})},
      {"GreChecksum", tunnel_checksum_bad, gre_tunnel,
       gre_packet({0x80, 0, 0x86, 0xdd, 0xba, 0xad, 0, 0})},
      {"GreChecksumWanted", tunnel_checksum_missing, gre_config({.icsum = true}),
       gre_packet({0, 0, 0x86, 0xdd})},
      {"GreCarriesEthernet", tunnel_protocol_type_unknown, gre_tunnel,
       gre_packet({0, 0, 0x65, 0x58})},
      {"GreSequenceWanted", sequence_missing, gre_config({.iseq = true}),
       gre_packet({0, 0, 0x86, 0xdd})},
      {"InnerVersion", inner_header_malformed, sit_tunnel, with(sit(inner()), 20, {0x50})},
      {"Ipv4InSit", inner_header_malformed, sit_tunnel,
       with_outer(sit(ipv4("10.0.0.1", "10.0.0.2") / udp(1, 2) / payload(8)), 9, {41})},
      {"Ipv4SaidToBeIpv6", inner_header_malformed, gre_tunnel,
       gre_packet({0, 0, 0x86, 0xdd}, ipv4("10.0.0.1", "10.0.0.2") / udp(1, 2) / payload(8))},
      {"InnerCutShort", inner_header_malformed, sit_tunnel, with(sit(inner()), 24, {0x7f, 0})},
      {"InnerIpv4Checksum", inner_checksum_bad, gre_tunnel,
       gre_packet({0, 0, 0x08, 0x00},
                  with(ipv4("10.0.0.1", "10.0.0.2") / udp(1, 2) / payload(8), 10, {1, 2}))},
      {"InnerMulticastSource", inner_source_forbidden, sit_tunnel, sit(inner_of("ff02::1"))},
      {"InnerLoopbackSource", inner_source_forbidden, sit_tunnel, sit(inner_of("::1"))},
      {"InnerCompatibleSource", inner_source_forbidden, sit_tunnel, sit(inner_of("::192.0.2.9"))},
      {"InnerMappedSource", inner_source_forbidden, sit_tunnel, sit(inner_of("::ffff:192.0.2.9"))},
      {"InnerIpv4LoopbackSource", inner_source_forbidden, gre_tunnel,
       gre_packet({0, 0, 0x08, 0x00}, ipv4("127.0.0.1", "10.0.0.2") / udp(1, 2) / payload(8))},
      {"BackToTheEncapsulator", inner_destination_is_encapsulator, gre_tunnel,
       gre_packet({0, 0, 0x08, 0x00}, ipv4("10.0.0.1", kRemoteText) / udp(1, 2) / payload(8))},
      {"InnerTtlOfZero", inner_ttl_zero, ipip_config(),  // RFC 2003 3.1
       (ipv4(kRemoteText, kLocalText) / ipv4("10.0.0.1", "10.0.0.2", {.ttl = 0}) / udp(1, 2) /
        payload(8))
           .bytes()},
      {"Ipv6InIpip", inner_header_malformed, ipip_config(), with_outer(sit(inner()), 9, {4})},
      {"CongestionMark", ecn_ce_on_not_ect, sit_tunnel, with_outer(sit(inner()), 1, {3})},
  };
}
INSTANTIATE_TEST_SUITE_P(All, Inbound, ::testing::ValuesIn(arrivals()),
                         [](const auto& test) { return test.param.name; });

TEST(InboundTunnel, ThatIsDown) {
  auto config = sit_config();
  config.up = false;
  TunnelRig rig{config};
  rig.queues().put(io::Source::tunnel, sit(inner()));
  rig.round();
  expect_only_drop(rig, DropReason::inbound_tunnel_down);
}

TEST(InboundTunnel, WithRemoteAnyTakesNobodysPackets) {
  auto config = sit_config();
  config.remote = {};
  for (const auto* source :
       {"224.0.0.9", "240.0.0.1", "127.0.0.1", "0.1.2.3", kLocalText, "203.0.113.99"}) {
    TunnelRig rig{std::vector{config}, {*proto::Ipv4Address::from_text("203.0.113.99")}};
    rig.queues().put(io::Source::tunnel, ipv4(source, kLocalText) / inner());
    rig.round();
    expect_only_drop(rig, DropReason::outer_source_forbidden);
  }
  TunnelRig rig{config};
  rig.queues().put(io::Source::tunnel, ipv4("203.0.113.7", kLocalText) / inner());
  rig.round();
  EXPECT_EQ(rig.tunnel().in_packets, 1u);
  expect_conserved(rig);
}

TEST(InboundTunnel, WithDevTakesNoOtherInterfacesPackets) {
  TunnelRig rig{sit_config()};
  rig.path().interface_index = 7;
  rig.queues().put(io::Source::tunnel, sit(inner())).interface_index = 8;
  rig.queues().put(io::Source::tunnel, sit(inner())).interface_index = 7;
  rig.queues().put(io::Source::tunnel, sit(inner())).interface_index = 0;  // as from a raw socket
  rig.round();
  expect_only_drop(rig, DropReason::tunnel_unknown);
  EXPECT_EQ(rig.tunnel().in_packets, 2u);
}

TEST(InboundSource, NotAmongTheTunnelsPrefixes) {
  TunnelRig rig{with_prefix("2001:db8::/64")};
  // its own prefix, a link-local neighbor, duplicate address detection
  for (const auto* source : {"2001:db8::1", "fe80::1", "::"})
    rig.queues().put(io::Source::tunnel, sit(inner_of(source)));
  rig.queues().put(io::Source::tunnel, sit(inner_of("2001:db8:0:1::1")));
  rig.round();
  expect_only_drop(rig, DropReason::inner_source_not_accepted);
  EXPECT_EQ(rig.tunnel().in_packets, 3u);
}

TEST(InboundSource, AsAcceptSaysAndNoOther) {
  for (const std::size_t others : {0u, 100u}) {  // compared one by one, and in an LPM table
    auto config = with_prefix("2001:db8::/64");
    config.accept6 = {proto::Ipv6Prefix::from_text("2001:db8:5::/48").value()};
    for (std::size_t i = 0; i < others; ++i) {
      auto more = proto::Ipv6Prefix::from_text("2001:db8:6::/64").value();
      more.address.bytes[7] = std::byte(i);
      config.accept6->push_back(more);
    }
    TunnelRig rig{config};
    for (const auto* source : {"2001:db8:5::1", "2001:db8::1", "fe80::1"})
      rig.queues().put(io::Source::tunnel, sit(inner_of(source)));
    rig.round();
    expect_only_drop(rig, DropReason::inner_source_not_accepted, 2);
    EXPECT_EQ(rig.tunnel().in_packets, 1u);
  }
}

TEST(InboundPacket, LargerThanABuffer) {
  TunnelRig rig{sit_config()};
  rig.queues().put(io::Source::tunnel, sit(inner())).truncated = true;
  rig.round();
  expect_only_drop(rig, DropReason::tunnel_packet_truncated);
}

TEST(InboundPacket, OffloadThatSpeaksOfTheOuterHeader) {
  TunnelRig rig{sit_config()};
  rig.queues().put(io::Source::tunnel, sit(inner()),
                   {.needs_checksum = true, .checksum_start = 0, .checksum_offset = 10});
  rig.round();
  expect_only_drop(rig, DropReason::tunnel_offload_malformed);
}

TEST(InboundSequence, OlderThanTheLast) {  // RFC 2890 2.2
  TunnelRig rig{gre_config({.iseq = true})};
  for (const int sequence : {0, 5, 4, 5}) {
    rig.queues().put(io::Source::tunnel, gre_packet({0x10, 0, 0x86, 0xdd, 0, 0, 0, sequence}));
  }
  rig.round();
  expect_only_drop(rig, DropReason::sequence_old, 2);
  EXPECT_EQ(rig.tunnel().in_packets, 2u);
}

/// The tunnel's counters after packets with these sequence numbers.
Totals after_sequence_numbers(const std::vector<int>& numbers) {
  TunnelRig rig{gre_config({.iseq = true})};
  for (const int sequence : numbers)
    rig.queues().put(io::Source::tunnel, gre_packet({0x10, 0, 0x86, 0xdd, 0, 0, 0, sequence}));
  rig.round();
  expect_conserved(rig);
  return rig.tunnel();
}

TEST(InboundSequence, FollowsARemoteEndpointThatStartedAnew) {  // RFC 2890 2.2
  const Totals totals = after_sequence_numbers({0, 100, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10});
  EXPECT_EQ(totals.sequence_restarts, 1u);
  EXPECT_EQ(totals.dropped(DropReason::sequence_old), 7u);
  EXPECT_EQ(totals.in_packets, 2u + 4u);  // from 7 on
}

TEST(InboundSequence, TakesLatePacketsAndDoublesForNoRestart) {
  // Late ones among newer ones, and the same number eight times.
  const Totals totals =
      after_sequence_numbers({50, 1,  2,  3,  4,  51, 5,  6,  7,  8, 52, 9, 10, 11, 12,  //
                              53, 20, 20, 20, 20, 20, 20, 20, 20, 20});
  EXPECT_EQ(totals.sequence_restarts, 0u);
  EXPECT_EQ(totals.dropped(DropReason::sequence_old), 12u + 9u);
}

TEST(InboundSequence, TakesScatteredNumbersForNoRestart) {
  TunnelRig rig{gre_config({.iseq = true})};
  for (const int high : {99, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10})  // steps of 65,536
    rig.queues().put(io::Source::tunnel, gre_packet({0x10, 0, 0x86, 0xdd, 0, high, 0, 0}));
  rig.round();
  expect_only_drop(rig, DropReason::sequence_old, 10);
}

TEST(InboundRaw, CoalescedWithoutASegmentSize) {
  TunnelRig rig{sit_config(), 1500, {.receive = io::ReceiveKind::raw}};
  Bytes large = ipv6(kHost, kServer) / udp(1, 2) / payload(4000);
  large[46] ^= std::byte{0x5a};  // neither a complete checksum nor the pseudo-header's sum
  rig.queues().put(io::Source::tunnel,
                   ipv4(kRemoteText, kLocalText, {.protocol = 41}) / payload(large));
  rig.round();
  expect_only_drop(rig, DropReason::gro_segment_size_unknown);
}

TEST(InboundWrite, FailsWithItsReason) {
  for (const auto& [error, reason] : {SendError{EAGAIN, DropReason::tun_queue_full},
                                      SendError{EIO, DropReason::tun_write_failed}}) {
    TunnelRig rig{sit_config()};
    rig.queues().write_error = error;
    rig.queues().put(io::Source::tunnel, sit(inner()));
    rig.round();
    expect_only_drop(rig, reason);
  }
}

// ---- errors -------------------------------------------------------------------------------------

/// An ICMPv4 error from a router on the path.
Bytes icmp_error(int type, int code, const Bytes& quoted, int mtu = 0) {
  Bytes message{std::byte(type),     std::byte(code), {}, {}, {}, {},
                std::byte(mtu >> 8), std::byte(mtu)};
  message.insert(message.end(), quoted.begin(), quoted.end());
  proto::store(message, 2, proto::finish(proto::sum(message)));
  return ipv4("203.0.113.1", kLocalText, {.protocol = proto::kProtocolIcmp}) / payload(message);
}
Bytes sent_packet() { return ipv4(kLocalText, kRemoteText) / inner(); }

struct ErrorMessage {
  const char* name;
  DropReason reason;
  Bytes message;
};
class Errors : public ::testing::TestWithParam<ErrorMessage> {};
TEST_P(Errors, AreDroppedForOneReason) {
  TunnelRig rig{sit_config()};
  rig.queues().put(io::Source::icmp, GetParam().message);
  rig.round();
  expect_only_drop(rig, GetParam().reason);
}
std::vector<ErrorMessage> error_messages() {
  using enum DropReason;
  return {
      {"Checksum", icmp_error_malformed, with(icmp_error(3, 1, sent_packet()), 22, {0, 0})},
      {"OfAnotherHost", icmp_error_not_ours,
       icmp_error(3, 1, ipv4(kLocalText, "203.0.113.9") / inner())},
      {"OfAnotherLength", icmp_error_implausible, icmp_error(3, 1, with(sent_packet(), 3, {0x99}))},
      {"QuotesEightBytes", icmp_error_quotes_too_little, icmp_error(3, 1, cut(sent_packet(), 28))},
      {"FromNobody", icmp_error_not_answerable,
       icmp_error(3, 1, ipv4(kLocalText, kRemoteText) / inner_of("::"))},
  };
}
INSTANTIATE_TEST_SUITE_P(All, Errors, ::testing::ValuesIn(error_messages()),
                         [](const auto& test) { return test.param.name; });

TEST(ErrorsRelayed, AreLimited) {  // RFC 4443 2.4(f)
  TunnelRig rig{sit_config()};
  constexpr std::uint64_t kMessages = 200;
  for (std::uint64_t i = 0; i < kMessages; ++i) {
    rig.queues().put(io::Source::icmp, icmp_error(3, 1, sent_packet()));
    rig.round();
  }
  EXPECT_EQ(rig.tunnel().errors_relayed, ErrorLimiter::kBurst);
  expect_only_drop(rig, DropReason::icmp_error_rate_limited, kMessages - ErrorLimiter::kBurst);
}

TEST(ErrorsRelayed, NotTakenByTheDevice) {
  TunnelRig rig{sit_config()};
  rig.queues().write_error = EIO;
  rig.queues().put(io::Source::icmp, icmp_error(3, 1, sent_packet()));
  rig.round();
  expect_only_drop(rig, DropReason::icmp_error_write_failed);
}

}  // namespace
}  // namespace culvert::test
