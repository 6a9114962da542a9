// The super-packets that a worker sends unsegmented to a next hop that segments them, and their
// counters. The kernel's part: kernel_cuts_test.cc.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "proto/ipv4.h"
#include "tests/support/packet_builder.h"
#include "tests/support/transport_packet.h"
#include "tests/support/tunnel_rig.h"

namespace culvert::test {
namespace {

class WorkerWhole : public ::testing::Test {
 protected:
  /// A worker whose tunnel has a segmenting next hop, after a round with one super-packet.
  static std::unique_ptr<TunnelRig> after(const TunnelConfig& config, const TransportPacket& drawn,
                                          std::uint16_t segment_bytes,
                                          std::uint16_t path_mtu = 1500,
                                          const io::NextHop& hop = kHop) {
    auto rig = std::make_unique<TunnelRig>(config, path_mtu);
    rig->path().next_hop.store(hop);
    rig->queues().put(io::Source::tun, draw(drawn, Checksum::partial),
                      partial_offload(drawn, segment_bytes));
    rig->round();
    expect_conserved(*rig);
    return rig;
  }
  static constexpr io::NextHop kHop{.interface_index = 10,
                                    .kernel_gso = true,
                                    .source = {{2, 0, 0, 0, 0, 1}},
                                    .destination = {{2, 0, 0, 0, 0, 2}}};
};

TEST_F(WorkerWhole, TakesATcpSuperPacketWhole) {
  for (const auto& config : {sit_config(), gre_config(), gre_config({.okey = 7})}) {
    const TransportPacket drawn{.payload = pattern(3000)};
    const auto rig = after(config, drawn, 1400);
    ASSERT_EQ(rig->queues().sent.size(), 1u);
    const SentDatagram& sent = rig->queues().sent[0];
    const std::size_t overhead = sent.encapsulation_bytes;
    EXPECT_EQ(sent.next_hop, kHop);
    EXPECT_EQ(behind(sent.bytes, overhead), draw(drawn, Checksum::partial));
    EXPECT_EQ(sent.offload.segmentation, io::Segmentation::tcp6);
    EXPECT_EQ(sent.offload.checksum_start, overhead + 40);
    EXPECT_EQ(sent.offload.header_bytes, overhead + 60);
    const auto outer = proto::parse_ipv4(sent.bytes);
    ASSERT_TRUE(outer);
    EXPECT_TRUE(outer->dont_fragment);
    // The counters count the segments, each with its headers.
    EXPECT_EQ(rig->tunnel().out_received, 3u);
    EXPECT_EQ(rig->tunnel().out_packets, 3u);
    EXPECT_EQ(rig->tunnel().out_bytes, 3u * 60 + 3000);
  }
}

TEST_F(WorkerWhole, TakesNothingElseWhole) {
  const TransportPacket stream{.payload = pattern(3000)};
  const TransportPacket datagrams{.is_tcp = false, .payload = pattern(3000)};
  const auto expect_segments = [](const char* why, const std::unique_ptr<TunnelRig>& rig,
                                  std::size_t count) {
    SCOPED_TRACE(why);
    EXPECT_EQ(rig->queues().sent.size(), count);
    for (const SentDatagram& sent : rig->queues().sent) {
      EXPECT_FALSE(sent.offload.is_super_packet());
      EXPECT_TRUE(sent.next_hop);
    }
  };
  expect_segments("UDP", after(sit_config(), datagrams, 1400), 3);
  expect_segments("GRE checksum", after(gre_config({.ocsum = true}), stream, 1400), 3);
  expect_segments("GRE sequence number", after(gre_config({.oseq = true}), stream, 1400), 3);
  expect_segments("one segment", after(sit_config(), {.payload = pattern(1400)}, 1400), 1);
  auto does_not_cut = kHop;
  does_not_cut.kernel_gso = false;
  expect_segments("no cutting there", after(sit_config(), stream, 1400, 1500, does_not_cut), 3);
  auto static_mtu = sit_config();
  static_mtu.pmtudisc = false;
  expect_segments("above the path MTU, two fragments each", after(static_mtu, stream, 1400, 1400),
                  5);
}

TEST_F(WorkerWhole, AnswersWhatIsTooBig) {
  const auto rig = after(sit_config(), {.payload = pattern(3000)}, 1400, 1400);
  EXPECT_TRUE(rig->queues().sent.empty());
  expect_only_drop(*rig, DropReason::packet_too_big, 3);
}

TEST_F(WorkerWhole, LeavesRoomForTheIdentificationsOfAllSegments) {  // RFC 6864 4.3
  auto config = sit_config();
  config.pmtudisc = false;
  TunnelRig rig{config};
  rig.path().next_hop.store(kHop);
  const TransportPacket drawn{.payload = pattern(40'500)};
  for (int i = 0; i < 2000; ++i) {  // 41 each: the identifications wrap around
    rig.queues().put(io::Source::tun, draw(drawn, Checksum::partial), partial_offload(drawn, 1000));
  }
  rig.round();
  ASSERT_EQ(rig.queues().sent.size(), 2000u);
  const auto identification = [&](std::size_t i) {
    return proto::load_be16(rig.queues().sent[i].bytes, 4);
  };
  for (std::size_t i = 1; i < 2000; ++i) {
    const auto step = static_cast<std::uint16_t>(identification(i) - identification(i - 1));
    ASSERT_TRUE(step == 41 || step == 42) << step;  // 42: 0 is skipped
    ASSERT_NE(identification(i), 0);
  }
}

TEST_F(WorkerWhole, IsNotAskedAgainOnceTheInterfaceIsGone) {
  for (const int error : {ENETDOWN, ENXIO, ENODEV}) {
    TunnelRig rig{sit_config()};
    rig.path().next_hop.store(kHop);
    rig.queues().send_error = error;
    const TransportPacket drawn{.payload = pattern(3000)};
    rig.queues().put(io::Source::tun, draw(drawn, Checksum::partial), partial_offload(drawn, 1400));
    rig.round();
    expect_only_drop(rig, DropReason::send_no_route, 3);
    EXPECT_FALSE(rig.path().next_hop.load());
    rig.queues().send_error = 0;
    rig.queues().put(io::Source::tun, draw(drawn, Checksum::partial), partial_offload(drawn, 1400));
    rig.round();
    ASSERT_EQ(rig.queues().sent.size(), 3u);
    EXPECT_FALSE(rig.queues().sent[0].next_hop);
  }
}

TEST_F(WorkerWhole, IsAskedAgainAfterItsQueueWasFull) {
  TunnelRig rig{sit_config()};
  rig.path().next_hop.store(kHop);
  rig.queues().send_error = ENOBUFS;
  const TransportPacket drawn{.payload = pattern(3000)};
  rig.queues().put(io::Source::tun, draw(drawn, Checksum::partial), partial_offload(drawn, 1400));
  rig.round();
  expect_only_drop(rig, DropReason::send_queue_full, 3);
  EXPECT_EQ(rig.path().next_hop.load(), kHop);
}

TEST_F(WorkerWhole, StopsSuperPacketsThatTheKernelRefusesAndReportsItOnce) {
  unsigned reports = 0;
  TunnelRig rig{sit_config(), 1500, {.on_refused_sends = [&] { ++reports; }}};
  rig.path().next_hop.store(kHop);
  rig.queues().refuses_super_packets = true;
  const TransportPacket drawn{.payload = pattern(3000)};
  for (unsigned round = 0; round < kMaxRefusedOffloads + 2; ++round) {
    EXPECT_EQ(reports, round < kMaxRefusedOffloads ? 0u : 1u);
    rig.queues().put(io::Source::tun, draw(drawn, Checksum::partial), partial_offload(drawn, 1400));
    rig.round();
    EXPECT_EQ(rig.queues().sent.size(), 3 * (round + 1));
    EXPECT_EQ(rig.queues().refused_super_packets, std::min(round + 1, kMaxRefusedOffloads));
  }
  EXPECT_EQ(rig.path().next_hop.load(), kHop);
  EXPECT_EQ(rig.tunnel().out_packets, rig.tunnel().out_received);
  EXPECT_EQ(rig.tunnel().out_bytes, (kMaxRefusedOffloads + 2) * (3u * 60 + 3000));
  expect_conserved(rig);
}

TEST_F(WorkerWhole, CountsTheErrorsOfSegmentsThatItSendsAgain) {
  TunnelRig rig{sit_config()};
  rig.path().next_hop.store(kHop);
  rig.queues().refuses_super_packets = true;
  rig.queues().send_error = ENOBUFS;
  const TransportPacket drawn{.payload = pattern(3000)};
  rig.queues().put(io::Source::tun, draw(drawn, Checksum::partial), partial_offload(drawn, 1400));
  rig.round();
  expect_only_drop(rig, DropReason::send_queue_full, 3);
  expect_conserved(rig);
}

}  // namespace
}  // namespace culvert::test
