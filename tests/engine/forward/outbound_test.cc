// outbound() on packets behind a link-layer header: the outer packets carry the same payload packets
// as without it, each behind the link-layer header of its packet.
#include "engine/forward/outbound.h"

#include <gtest/gtest.h>

#include "tests/support/link_header.h"
#include "tests/support/transport_packet.h"
#include "tests/support/tunnel_rig.h"

namespace culvert::test {
namespace {

/// A batch that copies its outer packets.
class CopiedBatch final : public OutboundBatch {
 public:
  CopiedBatch() : OutboundBatch(4) {}
  std::vector<Bytes> packets;

 private:
  void flush() noexcept override {
    for (const OutboundDatagram& each : datagrams()) {
      Bytes& packet = packets.emplace_back(each.datagram.head.begin(), each.datagram.head.end());
      packet.insert(packet.end(), each.datagram.tail.begin(), each.datagram.tail.end());
    }
  }
};

struct Forwarded {
  DropReason reason;
  std::uint16_t too_big_mtu;
  std::vector<Bytes> payloads;  ///< payload packets of the outer packets
};

/// Forwards one packet into a tunnel whose path MTU has room for the link-layer header.
Forwarded forward(const TunnelConfig& config, const Bytes& bytes, const io::Offload& offload,
                  std::size_t link_bytes) {
  const auto path_mtu = static_cast<std::uint16_t>(1400 + link_bytes);
  const Tables tables({make_tunnel(config, 1500, path_mtu)});
  TunnelStats stats;
  EXPECT_TRUE(stats.prepare(0, 1));
  FlowPinning unpinned;
  CopiedBatch batch;
  Bytes buffer(io::kHeadroomBytes + bytes.size());
  std::copy(bytes.begin(), bytes.end(), buffer.begin() + io::kHeadroomBytes);
  io::Packet packet(buffer, io::kHeadroomBytes, bytes.size());
  packet.offload = offload;
  OutboundPacket classified;
  classified.meta = classify(packet.bytes(), link_bytes);
  const Verdict verdict = outbound(packet, classified, tables, stats, unpinned, batch);
  batch.flush_and_clear();
  Forwarded result{verdict.reason, verdict.too_big_mtu, {}};
  for (const Bytes& outer : batch.packets)
    result.payloads.push_back(behind(outer, tables.tunnel(0).overhead_bytes()));
  return result;
}

/// Packets and super-packets of both IP versions: those that fit, those to be fragmented and those
/// that are too big. With padding behind the packet, and with an MSS to be lowered.
TransportPacket random_inner_packet(std::mt19937& random) {
  TransportPacket packet{.is_ipv6 = one_in(random, 2),
                         .is_tcp = one_in(random, 2),
                         .dont_fragment = one_in(random, 2)};
  if (packet.is_tcp && one_in(random, 3)) {
    packet.flags = 0x02;  // SYN
    packet.tcp_options = hex("02 04 05 b4");
  }
  packet.payload = random_bytes(random, pick(random, 1, 3000));
  return packet;
}

TEST(OutboundFrame, ForwardsPacketsBehindALinkLayerHeaderAsWithoutIt) {
  std::mt19937 random(8);
  std::size_t packets = 0, fragmented = 0, too_big = 0;
  for (int round = 0; round < 500; ++round) {
    const TransportPacket drawn = random_inner_packet(random);
    const bool is_super = one_in(random, 2);
    const auto segment_bytes = static_cast<std::uint16_t>(is_super ? pick(random, 400, 1500) : 0);
    const io::Offload offload = partial_offload(drawn, segment_bytes);
    const Bytes packet = draw(drawn, Checksum::partial);
    for (const TunnelConfig& config : {gre_config(), gre_config({.ocsum = true})}) {
      const Forwarded expected = forward(config, packet, offload, 0);
      packets += expected.payloads.size();
      fragmented += !is_super && expected.payloads.size() > 1;
      too_big += expected.too_big_mtu != 0;
      for (const std::size_t link_bytes : kLinkHeaderSizes) {
        const Forwarded frame = forward(config, with_link_header(packet, link_bytes),
                                        behind_link_header(offload, link_bytes), link_bytes);
        ASSERT_EQ(frame.reason, expected.reason) << "round " << round;
        ASSERT_EQ(frame.too_big_mtu, expected.too_big_mtu);
        ASSERT_EQ(frame.payloads.size(), expected.payloads.size());
        for (std::size_t i = 0; i < frame.payloads.size(); ++i)
          ASSERT_EQ(frame.payloads[i], with_link_header(expected.payloads[i], link_bytes));
      }
    }
  }
  EXPECT_GT(packets, 500u);
  EXPECT_GT(fragmented, 20u);
  EXPECT_GT(too_big, 20u);
}

// The tables are looked up once a packet: outbound() follows a choice that was made ahead.
TEST(OutboundChoice, IsFollowedWithoutAnotherLookUp) {
  TunnelConfig first = sit_config(), second = sit_config();
  first.prefixes6 = {*proto::Ipv6Prefix::from_text("2001:db8:1::/48")};
  second.prefixes6 = {*proto::Ipv6Prefix::from_text("2001:db8:2::/48")};
  second.remote = *proto::Ipv4Address::from_text("198.51.100.2");
  const Tables tables({make_tunnel(first, 1480, 1500), make_tunnel(second, 1480, 1500)});
  TunnelStats stats;
  for (const std::uint32_t slot : {0u, 1u}) ASSERT_TRUE(stats.prepare(slot, 1));
  const auto slot_for = [&](TunnelChoice choice) {
    const Bytes inner = ipv6(kHost, "2001:db8:1::2") / udp(1, 2) / payload(8);
    Bytes buffer(io::kHeadroomBytes);
    buffer.insert(buffer.end(), inner.begin(), inner.end());
    io::Packet packet(buffer, io::kHeadroomBytes, inner.size());
    OutboundPacket classified;
    classified.classify(packet);
    classified.choice = choice;
    FlowPinning unpinned;
    CopiedBatch batch;
    const Verdict verdict = outbound(packet, classified, tables, stats, unpinned, batch);
    return verdict.tunnel != nullptr ? std::optional{verdict.tunnel->index} : std::nullopt;
  };
  EXPECT_EQ(slot_for(TunnelChoice{}), 0u) << "unknown: looked up";
  EXPECT_EQ(slot_for(TunnelChoice::slot(1)), 1u);
  EXPECT_EQ(slot_for(TunnelChoice::none()), std::nullopt);
}

}  // namespace
}  // namespace culvert::test
