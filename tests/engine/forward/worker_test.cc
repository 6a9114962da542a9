// Packets that a worker's round forwards: the bytes that leave, and the counters.
#include "engine/forward/worker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/checksum.h"
#include "proto/tcp.h"
#include "tests/support/packet_builder.h"
#include "tests/support/tunnel_rig.h"

namespace culvert::test {
namespace {

Bytes udp_packet(std::size_t bytes) {
  return ipv6(kHost, kServer) / udp(1, 2) / payload(bytes - 48);
}
/// An outer packet from the remote endpoint.
Bytes sit_packet(const Bytes& inner) {
  return ipv4(kRemoteText, kLocalText, {.protocol = 41}) / payload(inner);
}
/// The offload of a TCP super-packet. `tcp_offset`: the position in bytes of its TCP header, which
/// has no options.
io::Offload tcp_offload(std::uint16_t tcp_offset, std::uint16_t segment_bytes,
                        io::Segmentation segmentation = io::Segmentation::tcp6) {
  return {.needs_checksum = true,
          .checksum_start = tcp_offset,
          .checksum_offset = 16,
          .segmentation = segmentation,
          .segment_bytes = segment_bytes,
          .header_bytes = static_cast<std::uint16_t>(tcp_offset + 20)};
}
std::uint16_t flags_and_offset(const Bytes& outer) { return proto::load_be16(outer, 6); }
constexpr std::uint16_t kDf = 0x4000, kMf = 0x2000;

TEST(WorkerOutbound, PutsOneIpv4HeaderInFront) {  // RFC 4213 3.5
  TunnelRig rig{sit_config()};
  const Bytes inner = udp_packet(100);
  rig.queues().put(io::Source::tun, inner);
  rig.round();
  ASSERT_EQ(rig.queues().sent.size(), 1u);
  const Bytes& outer = rig.queues().sent[0].bytes;
  const auto parsed = proto::parse_ipv4(outer);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->header_bytes, 20);
  EXPECT_EQ(parsed->protocol, 41);
  EXPECT_EQ(parsed->ttl, 64);
  EXPECT_EQ(parsed->tos, 0);
  EXPECT_TRUE(parsed->dont_fragment);
  EXPECT_EQ(parsed->source, kLocal);
  EXPECT_EQ(parsed->destination, kRemote);
  EXPECT_EQ(behind(outer, 20), inner);  // no trailing bytes
  EXPECT_EQ(rig.tunnel().out_packets, 1u);
  EXPECT_EQ(rig.tunnel().out_bytes, 100u);
  expect_conserved(rig);
}

TEST(WorkerOutbound, LeavesOutWhatLiesBehindTheInnerPacket) {
  TunnelRig rig{sit_config()};
  const Bytes inner = udp_packet(100);
  Bytes padded = inner;
  padded.insert(padded.end(), 4, std::byte{0xee});
  rig.queues().put(io::Source::tun, padded);
  rig.round();
  EXPECT_EQ(behind(rig.queues().sent.at(0).bytes, 20), inner);
}

TEST(WorkerOutbound, InheritsTtlAndTos) {
  auto config = sit_config();
  config.ttl.reset();
  config.tos.reset();
  TunnelRig rig{config};
  Bytes inner = udp_packet(64);
  proto::set_ipv6_traffic_class(inner, 0xb9);  // EF, ECT(1)
  inner[7] = std::byte{17};
  rig.queues().put(io::Source::tun, inner);
  rig.round();
  const auto outer = proto::parse_ipv4(rig.queues().sent.at(0).bytes);
  EXPECT_EQ(outer->ttl, 17);
  EXPECT_EQ(outer->tos, 0xb9);
  EXPECT_EQ(rig.queues().sent[0].bytes.at(20 + 7),
            std::byte{17});  // the inner hop limit is not touched
}

/// The outer TTL of a packet with `hop_limit` under `ttl inherit`.
int inherited_ttl(const char* destination, std::uint8_t hop_limit) {
  auto config = gre_config();
  config.ttl.reset();
  TunnelRig rig{config};
  Bytes inner;
  if (std::string_view{destination}.find(':') != std::string_view::npos) {
    inner = ipv6("fe80::1", destination) / payload(20);
    inner[7] = std::byte{hop_limit};
  } else {
    inner = ipv4("10.0.0.1", destination, {.ttl = hop_limit}) / payload(20);
  }
  rig.queues().put(io::Source::tun, inner);
  rig.round();
  return proto::parse_ipv4(rig.queues().sent.at(0).bytes)->ttl;
}

TEST(WorkerOutbound, InheritsNoTtlThatKeepsPacketsForTheLinkFromTheRemoteEndpoint) {
  for (const auto* destination : {"ff02::5", "fe80::2", "224.0.0.5"}) {
    EXPECT_EQ(inherited_ttl(destination, 1), 64) << destination;
    EXPECT_EQ(inherited_ttl(destination, 255), 255) << destination;
  }
  for (const auto* destination : {"2001:db8::5", "10.0.0.2"})
    EXPECT_EQ(inherited_ttl(destination, 1), 1) << destination;
}

TEST(WorkerErrors, CountTheEndOfTheOuterTtl) {
  TunnelRig rig{sit_config()};
  Bytes message{std::byte{11}, {}, {}, {}, {}, {}, {}, {}};
  const Bytes quoted = ipv4(kLocalText, kRemoteText, {.protocol = 41}) / payload(udp_packet(100));
  message.insert(message.end(), quoted.begin(), quoted.end());
  proto::store(message, 2, proto::finish(proto::sum(message)));
  rig.queues().put(
      io::Source::icmp,
      ipv4("192.0.2.254", kLocalText, {.protocol = proto::kProtocolIcmp}) / payload(message));
  rig.round();
  EXPECT_EQ(rig.tunnel().ttl_exceeded, 1u);
  EXPECT_EQ(rig.tunnel().errors_relayed, 1u);
}

TEST(WorkerOutbound, FixedTosKeepsTheEcnField) {  // RFC 6040 4.1
  auto config = sit_config();
  config.tos = std::uint8_t{0x40};
  TunnelRig rig{config};
  Bytes inner = udp_packet(64);
  proto::set_ipv6_traffic_class(inner, 0xb8 | 3);
  rig.queues().put(io::Source::tun, inner);
  rig.round();
  EXPECT_EQ(proto::parse_ipv4(rig.queues().sent.at(0).bytes)->tos, 0x40 | 3);
}

// RFC 4213 3.2.2: below a path MTU of 1,300 an inner packet of 1,280 bytes is still sent, with DF
// clear.
TEST(WorkerOutbound, ClearsDfBelowThePathMtuOf1300) {
  TunnelRig rig{sit_config(), 1290};
  rig.queues().put(io::Source::tun, udp_packet(1280));
  rig.queues().put(io::Source::tun, udp_packet(1281));
  rig.round();
  ASSERT_EQ(rig.queues().sent.size(), 2u);  // two fragments of the first packet
  EXPECT_EQ(flags_and_offset(rig.queues().sent[0].bytes), kMf);
  EXPECT_EQ(flags_and_offset(rig.queues().sent[1].bytes) & (kDf | kMf), 0);
  EXPECT_EQ(rig.tunnel().out_packets, 1u);
  EXPECT_EQ(rig.tunnel().out_bytes, 1280u);
  expect_only_drop(rig, DropReason::packet_too_big);
  const Bytes& error = rig.queues().written.at(0).bytes;
  EXPECT_EQ(error.at(40), std::byte{2});
  EXPECT_EQ(proto::load_be32(error, 44), 1280u);
}

TEST(WorkerOutbound, TellsThePathMtuLessTheOverhead) {
  TunnelRig rig{sit_config(), 1400};
  rig.queues().put(io::Source::tun, udp_packet(1380));
  rig.queues().put(io::Source::tun, udp_packet(1381));
  rig.round();
  EXPECT_EQ(rig.queues().sent.size(), 1u);
  EXPECT_EQ(proto::load_be32(rig.queues().written.at(0).bytes, 44), 1380u);
}

TEST(WorkerOutbound, NeverSetsDfWithAStaticMtu) {  // RFC 4213 3.2.1
  auto config = sit_config();
  config.pmtudisc = false;
  TunnelRig rig{config, 1400};
  rig.queues().put(io::Source::tun, udp_packet(1300));
  rig.queues().put(io::Source::tun, udp_packet(1480));
  rig.round();
  ASSERT_EQ(rig.queues().sent.size(), 3u);  // whole; two fragments
  for (const auto& sent : rig.queues().sent) EXPECT_EQ(flags_and_offset(sent.bytes) & kDf, 0);
  const auto identification = [&](std::size_t i) {
    return proto::load_be16(rig.queues().sent[i].bytes, 4);
  };
  EXPECT_EQ(identification(1), identification(2));
  EXPECT_NE(identification(0), identification(1));  // RFC 6864 4.3
  EXPECT_EQ(rig.tunnel().out_packets, 2u);
  expect_conserved(rig);
}

TEST(WorkerOutbound, CutsAnIpv4PacketThatMayBeFragmented) {
  TunnelRig rig{gre_config(), 1000};
  Bytes inner = ipv4("10.0.0.1", "10.0.0.2") / udp(1, 2) / payload(1200);
  proto::set_ipv4_fragment(inner, 0, false, false);
  rig.queues().put(io::Source::tun, inner);
  rig.round();
  ASSERT_EQ(rig.queues().sent.size(), 2u);
  for (const auto& sent : rig.queues().sent) {
    EXPECT_LE(sent.bytes.size(), 1000u);
    EXPECT_EQ(flags_and_offset(sent.bytes), kDf);  // the outer packet is whole
    EXPECT_TRUE(proto::parse_ipv4(behind(sent.bytes, 24))->is_fragment());
  }
  EXPECT_EQ(rig.tunnel().out_packets, 1u);
  expect_conserved(rig);
}

TEST(WorkerOutbound, CutsSegmentsThatMayBeFragmented) {
  TunnelRig rig{gre_config(), 1000};
  rig.queues().put(io::Source::tun,
                   ipv4("10.0.0.1", "10.0.0.2", {.dont_fragment = false}) /
                       tcp(1, 2, {.is_partial = true}) / payload(3000),
                   tcp_offload(20, 1400, io::Segmentation::tcp4));
  rig.round();
  ASSERT_EQ(rig.queues().sent.size(),
            5u);  // 1,440 bytes in two fragments, twice, and the last whole
  Bytes first_segment;
  for (std::size_t i = 0; i < 2; ++i) {
    const Bytes& outer = rig.queues().sent[i].bytes;
    EXPECT_LE(outer.size(), 1000u);
    const Bytes part = behind(outer, 24 + 20);
    first_segment.insert(first_segment.end(), part.begin(), part.end());
  }
  const auto pseudo = proto::pseudo_header_sum(*proto::Ipv4Address::from_text("10.0.0.1"),
                                               *proto::Ipv4Address::from_text("10.0.0.2"), 6, 1420);
  EXPECT_EQ(first_segment.size(), 1420u);
  EXPECT_TRUE(proto::verifies(pseudo + proto::sum(first_segment)));
  EXPECT_EQ(rig.tunnel().out_packets, 3u);
  expect_conserved(rig);
}

TEST(WorkerOutbound, NumbersGrePackets) {  // RFC 2890 2.2: the first is 0
  TunnelRig rig{gre_config({.okey = 7, .oseq = true})};
  for (int i = 0; i < 3; ++i) rig.queues().put(io::Source::tun, udp_packet(64));
  rig.round();
  for (std::uint32_t i = 0; i < 3; ++i) {
    const Bytes& sent = rig.queues().sent.at(i).bytes;
    EXPECT_EQ(proto::load_be16(sent, 20), 0x3000);
    EXPECT_EQ(proto::load_be32(sent, 24), 7u);
    EXPECT_EQ(proto::load_be32(sent, 28), i);
  }
}

TEST(WorkerOutbound, CutsASuperPacketAndCountsItsSegments) {
  TunnelRig rig{sit_config()};
  const Bytes packet = ipv6(kHost, kServer) / tcp(1, 2, {.flags = proto::kTcpAck}) / payload(3000);
  rig.queues().put(io::Source::tun, packet, tcp_offload(40, 1400));
  rig.round();
  ASSERT_EQ(rig.queues().sent.size(), 3u);
  EXPECT_EQ(rig.queues().sent[0].bytes.size(), 20u + 60 + 1400);
  EXPECT_EQ(rig.queues().sent[2].bytes.size(), 20u + 60 + 200);
  EXPECT_EQ(rig.tunnel().out_received, 3u);
  EXPECT_EQ(rig.tunnel().out_packets, 3u);
  EXPECT_EQ(rig.tunnel().out_bytes, 3u * 60 + 3000);
  expect_conserved(rig);
}

TEST(WorkerOutbound, FlushesAFullBatch) {
  WorkerOptions options;
  options.sizes.batch_sends = 2;
  TunnelRig rig{sit_config(), 1500, options};
  for (int i = 0; i < 7; ++i) rig.queues().put(io::Source::tun, udp_packet(64));
  rig.round();
  EXPECT_EQ(rig.queues().sent.size(), 7u);
  EXPECT_EQ(rig.queues().submits, 4u);
  EXPECT_EQ(rig.tunnel().out_packets, 7u);
}

TEST(WorkerOutbound, KeepsSegmentsWholeAcrossAFlush) {
  WorkerOptions options;
  options.sizes.batch_sends = 2;
  TunnelRig small{sit_config(), 1500, options}, large{sit_config()};
  for (TunnelRig* rig : {&small, &large}) {
    rig->queues().put(io::Source::tun,
                      ipv6(kHost, kServer) / tcp(1, 2, {.flags = proto::kTcpAck}) / payload(9000),
                      tcp_offload(40, 1000));
    rig->round();
  }
  ASSERT_EQ(small.queues().sent.size(), 9u);
  for (std::size_t i = 0; i < 9; ++i)
    EXPECT_EQ(small.queues().sent[i].bytes, large.queues().sent.at(i).bytes);
}

TEST(WorkerInbound, RemovesHeaderAndPadding) {  // RFC 4213 3.6
  TunnelRig rig{sit_config()};
  const Bytes inner = udp_packet(100);
  Bytes outer = sit_packet(inner);
  Bytes padded_inner = inner;
  padded_inner.insert(padded_inner.end(), 6, std::byte{0});
  rig.queues().put(io::Source::tunnel, outer);
  rig.queues().put(io::Source::tunnel, sit_packet(padded_inner));  // inside
  outer.insert(outer.end(), 6, std::byte{0});                      // Ethernet's
  rig.queues().put(io::Source::tunnel, outer);
  rig.round();
  Bytes all;
  for (const auto& written : rig.queues().written)
    all.insert(all.end(), written.bytes.begin(), written.bytes.end());
  EXPECT_EQ(rig.tunnel().in_packets, 3u);
  EXPECT_EQ(rig.tunnel().in_bytes, 300u);
  EXPECT_EQ(rig.queues().written.at(0).bytes.size() % 4, 0u);
  expect_conserved(rig);
}

// A 6to4 or Teredo host behind the remote endpoint is an ordinary host: only a relay of 6to4 ties
// the inner source to the outer source.
TEST(WorkerInbound, TakesSourcesOfTransitionPrefixes) {
  for (const auto* source :
       {"2002:cb00:7101::1", "2001:0:cb00:7101::1", "64:ff9b::203.0.113.1", "::"}) {
    TunnelRig rig{sit_config()};
    rig.queues().put(io::Source::tunnel, ipv4(kRemoteText, kLocalText) / ipv6(source, kServer) /
                                             udp(1, 2) / payload(8));
    rig.round();
    EXPECT_EQ(rig.tunnel().in_packets, 1u) << source;
    expect_conserved(rig);
  }
}

TEST(WorkerInbound, SkipsOuterOptions) {
  TunnelRig rig{sit_config()};
  const Bytes inner = udp_packet(100);
  Bytes outer = sit_packet(inner);
  outer.insert(outer.begin() + 20, 4, std::byte{1});  // four NOPs
  outer[0] = std::byte{0x46};
  proto::store_be16(outer, 2, 124);
  proto::store_be16(outer, 10, 0);
  proto::store(outer, 10, proto::finish(proto::sum(std::span{outer}.first(24))));
  rig.queues().put(io::Source::tunnel, outer);
  rig.round();
  EXPECT_EQ(rig.queues().written.at(0).bytes, inner);
}

TEST(WorkerInbound, MarksCongestion) {  // RFC 6040 4.2
  TunnelRig rig{sit_config()};
  Bytes inner = udp_packet(100);
  proto::set_ipv6_traffic_class(inner, 2);
  Bytes outer = sit_packet(inner);
  proto::set_ipv4_tos(outer, 3);
  rig.queues().put(io::Source::tunnel, outer);
  rig.round();
  EXPECT_EQ(proto::parse_ipv6(rig.queues().written.at(0).bytes)->traffic_class, 3);
}

TEST(WorkerInbound, PassesASuperPacketOnAsItIs) {
  TunnelRig rig{sit_config()};
  const Bytes inner = ipv6(kHost, kServer) / tcp(1, 2, {.flags = proto::kTcpAck}) / payload(14'000);
  rig.queues().put(io::Source::tunnel, sit_packet(inner), tcp_offload(60, 1400));
  rig.round();
  ASSERT_EQ(rig.queues().written.size(), 1u);
  EXPECT_EQ(rig.queues().written[0].bytes, inner);
  EXPECT_EQ(rig.queues().written[0].offload.checksum_start, 40);
  EXPECT_EQ(rig.queues().written[0].offload.segment_bytes, 1400);
  EXPECT_EQ(rig.tunnel().in_packets, 10u);
  expect_conserved(rig);
}

TEST(WorkerInbound, CutsASuperPacketForADeviceWithoutOffload) {
  TunnelRig rig{sit_config(), 1500, {.tun_offloads = false}};
  const Bytes inner = ipv6(kHost, kServer) / tcp(1, 2, {.is_partial = true}) / payload(3000);
  rig.queues().put(io::Source::tunnel, sit_packet(inner), tcp_offload(60, 1400));
  rig.round();
  ASSERT_EQ(rig.queues().written.size(), 3u);
  for (const auto& written : rig.queues().written) {
    const auto packet = proto::parse_ipv6(written.bytes);
    ASSERT_TRUE(packet);
    const auto pseudo = proto::pseudo_header_sum(
        packet->source, packet->destination, 6, static_cast<std::uint32_t>(packet->payload.size()));
    EXPECT_TRUE(proto::verifies(pseudo + proto::sum(packet->payload)));
    EXPECT_EQ(written.offload, io::Offload{});
  }
  EXPECT_EQ(rig.tunnel().in_packets, 3u);
  expect_conserved(rig);
}

// The kernel has verified the outermost checksum, which is GRE's here: damaged segments must not be
// joined, because they would get a right checksum again.
TEST(WorkerInbound, BelievesNoInnerChecksumBehindAGreChecksum) {
  TunnelRig rig{gre_config()};
  for (const std::uint32_t sequence : {1u, 101u}) {
    const Bytes outer = ipv4(kRemoteText, kLocalText) / gre({.has_checksum = true}) /
                        ipv6(kHost, kServer) /
                        tcp(1, 2, {.sequence = sequence, .checksum = 0x1234}) / payload(100);
    rig.queues().put(io::Source::tunnel, outer, {.checksum_verified = true});
  }
  rig.round();
  EXPECT_EQ(rig.queues().written.size(), 2u);
}

/// A GRO packet as a raw socket delivers it: one large packet with the pseudo-header's sum as
/// checksum.
Bytes coalesced_tcp(std::size_t payload_bytes) {
  Bytes inner =
      ipv6(kHost, kServer) / tcp(1, 2, {.flags = proto::kTcpAck}) / payload(payload_bytes);
  const auto packet = proto::parse_ipv6(inner);
  const auto pseudo = proto::pseudo_header_sum(packet->source, packet->destination, 6,
                                               static_cast<std::uint32_t>(20 + payload_bytes));
  proto::store(inner, 40 + 16, proto::fold(pseudo));
  return inner;
}

TEST(WorkerInboundRaw, GivesACoalescedPacketItsOffloadBack) {
  TunnelRig rig{sit_config(), 1500, {.receive = io::ReceiveKind::raw}};
  rig.queues().put(io::Source::tunnel, sit_packet(coalesced_tcp(14'000)));
  rig.queues().put(io::Source::tunnel, sit_packet(coalesced_tcp(600)));
  rig.round();
  ASSERT_EQ(rig.queues().written.size(), 2u);
  const auto& large = rig.queues().written[0].offload;
  EXPECT_EQ(large.segmentation, io::Segmentation::tcp6);
  EXPECT_EQ(large.segment_bytes, 1480 - 60);
  EXPECT_TRUE(large.needs_checksum);
  EXPECT_TRUE(rig.queues().written[1].offload.needs_checksum);
  EXPECT_EQ(rig.queues().written[1].offload.segmentation, io::Segmentation::none);
  expect_conserved(rig);
}

TEST(WorkerInbound, StopsSuperPacketsThatTunRefusesAndReportsItOnce) {
  unsigned reports = 0;
  TunnelRig rig{sit_config(), 1500, {.receive = io::ReceiveKind::raw, .on_refused_offloads = [&] {
                                       ++reports;
                                     }}};
  rig.queues().refuses_offloads = true;
  for (unsigned round = 0; round < kMaxRefusedOffloads + 2; ++round) {
    EXPECT_EQ(reports, round < kMaxRefusedOffloads ? 0u : 1u);
    rig.queues().put(io::Source::tunnel, sit_packet(coalesced_tcp(14'200)));
    rig.round();
    EXPECT_EQ(rig.queues().written.size(), 10 * (round + 1));  // segments of 1420 bytes
  }
  EXPECT_EQ(rig.tunnel().in_packets, rig.tunnel().in_received);
  expect_conserved(rig);
}

TEST(WorkerInboundRaw, DoesNotMindWhatTheKernelWroteIntoTheOuterHeader) {
  TunnelRig rig{sit_config(), 1500, {.receive = io::ReceiveKind::raw}};
  const Bytes inner = udp_packet(100);
  Bytes outer = sit_packet(inner);
  outer[10] ^= std::byte{0x55};  // as if the kernel had written into an option on arrival
  rig.queues().put(io::Source::tunnel, outer);
  rig.round();
  EXPECT_EQ(rig.queues().written.at(0).bytes, inner);
}

TEST(WorkerInboundRaw, TakesACoalescedGrePacketWithTheFirstOnesChecksum) {
  TunnelRig rig{gre_config(), 1500, {.receive = io::ReceiveKind::raw}};
  Bytes header{std::byte{0x80},
               {},
               std::byte{0x86},
               std::byte{0xdd},
               std::byte{0xba},
               std::byte{0xad},
               {},
               {}};
  const Bytes inner = coalesced_tcp(14'000);
  header.insert(header.end(), inner.begin(), inner.end());
  rig.queues().put(
      io::Source::tunnel,
      ipv4(kRemoteText, kLocalText, {.protocol = proto::kProtocolGre}) / payload(header));
  rig.round();
  EXPECT_EQ(rig.queues().written.at(0).bytes, inner);
}

TEST(WorkerErrors, LearnThePathMtu) {  // RFC 4213 3.4, RFC 1191
  TunnelRig rig{sit_config()};
  Bytes message{std::byte{3},         std::byte{4},          {}, {}, {}, {},
                std::byte{1400 >> 8}, std::byte{1400 & 0xff}};
  const Bytes quoted = ipv4(kLocalText, kRemoteText, {.protocol = 41}) / payload(udp_packet(1480));
  message.insert(message.end(), quoted.begin(), quoted.begin() + 200);
  proto::store(message, 2, proto::finish(proto::sum(message)));
  rig.queues().put(
      io::Source::icmp,
      ipv4("203.0.113.1", kLocalText, {.protocol = proto::kProtocolIcmp}) / payload(message));
  rig.round();
  EXPECT_EQ(rig.path().mtu(), 1400);
  EXPECT_EQ(rig.tunnel().errors_relayed, 1u);
  const Bytes& relayed =
      rig.queues().written.at(0).bytes;  // in the same round, not only for the next packet
  EXPECT_EQ(relayed.at(40), std::byte{2});
  EXPECT_EQ(proto::load_be32(relayed, 44), 1380u);
  expect_conserved(rig);
}

TEST(Worker, LooksUpTheRouteOfATunnelThatIsRefusedAsTooBig) {
  std::vector<TunnelConfig> configs(200, sit_config());
  for (std::uint32_t i = 0; i < configs.size(); ++i) {
    configs[i].remote = proto::Ipv4Address::from_host(0x7f000100 + i);
    configs[i].local.reset();
    configs[i].prefixes6 = {proto::Ipv6Prefix{{}, static_cast<std::uint8_t>(i == 150 ? 0 : 128)}};
  }
  TunnelRig rig{configs};
  rig.refresher().round(rig.now);  // the routes that are due
  for (std::uint32_t i = 0; i < configs.size(); ++i) rig.path(i).local = kLocal;
  rig.queues().send_error = EMSGSIZE;
  rig.queues().put(io::Source::tun, udp_packet(64));
  rig.round();
  rig.refresher().round(rig.now);
  for (std::uint32_t i = 0; i < configs.size(); ++i)
    EXPECT_EQ(rig.path(i).local.load(std::memory_order_relaxed) != kLocal, i == 150) << i;
}

TEST(Worker, StopsWhenItsDeviceIsGone) {
  TunnelRig rig{sit_config()};
  rig.queues().failure =
      Error{.code = EBADFD, .operation = "read TUN", .object = "test", .advice = ""};
  const auto done = rig.worker().round(std::chrono::nanoseconds{0}, rig.now);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, EBADFD);
}

}  // namespace
}  // namespace culvert::test
