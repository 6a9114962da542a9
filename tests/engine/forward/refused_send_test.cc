// The segments of a super-packet that the kernel has refused, compared with those that a worker makes
// for a next hop that segments nothing.
#include "engine/forward/refused_send.h"

#include <gtest/gtest.h>

#include <memory>

#include "tests/support/transport_packet.h"
#include "tests/support/tunnel_rig.h"

namespace culvert::test {
namespace {

/// A worker after a round with one super-packet of 17 segments, on a path whose next hop segments
/// super-packets or not. A batch has room for 5 datagrams.
std::unique_ptr<TunnelRig> after_round(const TunnelConfig& config, const TransportPacket& drawn,
                                       bool kernel_gso) {
  WorkerOptions options;
  options.sizes.batch_sends = 5;
  auto rig = std::make_unique<TunnelRig>(config, 1500, std::move(options));
  EXPECT_TRUE(rig->worker().prepare(0, 0x1000));
  rig->path().next_hop.store({.interface_index = 10,
                              .kernel_gso = kernel_gso,
                              .source = {{2, 0, 0, 0, 0, 1}},
                              .destination = {{2, 0, 0, 0, 0, 2}}});
  rig->queues().refuses_super_packets = true;
  rig->queues().put(io::Source::tun, draw(drawn, Checksum::partial), partial_offload(drawn, 1200));
  rig->round();
  expect_conserved(*rig);
  return rig;
}

TEST(RefusedSend, SendsTheSegmentsOfAWorkerWhoseNextHopSegmentsNothing) {
  auto static_mtu = gre_config({.okey = 7});
  static_mtu.pmtudisc = false;
  for (const auto& config : {sit_config(), gre_config(), gre_config({.okey = 7}), static_mtu}) {
    for (const bool is_ipv6 : {true, false}) {
      if (!is_ipv6 && config.mode.index() == sit_config().mode.index()) continue;
      SCOPED_TRACE(is_ipv6);
      const TransportPacket drawn{.is_ipv6 = is_ipv6, .payload = pattern(20'000)};
      const auto refused = after_round(config, drawn, true);
      const auto cut_here = after_round(config, drawn, false);
      ASSERT_EQ(cut_here->queues().sent.size(), 17u);
      ASSERT_EQ(refused->queues().sent.size(), 17u);
      EXPECT_EQ(refused->queues().refused_super_packets, 1u);
      for (std::size_t i = 0; i < 17; ++i) {
        const SentDatagram& segment = refused->queues().sent[i];
        EXPECT_EQ(segment.bytes, cut_here->queues().sent[i].bytes) << i;
        EXPECT_EQ(segment.destination, kRemote);
        EXPECT_EQ(segment.next_hop.interface_index, 10u);
        EXPECT_EQ(segment.offload, io::Offload{});
      }
      EXPECT_EQ(refused->tunnel().out_packets, 17u);
      EXPECT_EQ(refused->tunnel().out_bytes, cut_here->tunnel().out_bytes);
    }
  }
}

}  // namespace
}  // namespace culvert::test
