#include "engine/forward/prefetcher.h"

#include <gtest/gtest.h>

#include <deque>
#include <random>
#include <vector>

#include "tests/support/packet_builder.h"
#include "tests/support/tunnel_rig.h"

namespace culvert::test {
namespace {

constexpr std::uint32_t kTunnels = 2 * Prefetcher::kMinTunnels;

/// Every second tunnel is a GRE tunnel with its number as key, and every third has no local
/// address.
std::vector<TunnelConfig> many() {
  std::vector<TunnelConfig> configs;
  for (std::uint32_t i = 0; i < kTunnels; ++i) {
    TunnelConfig config = i % 2 == 0 ? sit_config() : gre_config({.ikey = i, .okey = i});
    config.name = "t" + std::to_string(i);
    config.remote = proto::Ipv4Address::from_host(0x0a000000 + i);
    if (i % 3 == 0) config.local.reset();
    auto prefix = *proto::Ipv6Prefix::from_text("2001:db8::/64");
    proto::store_be32(prefix.address.bytes, 4, i);
    config.prefixes6 = {prefix};
    if (i % 2 != 0) config.prefixes4 = {{proto::Ipv4Address::from_host(0x0b000000 + i), 32}};
    configs.push_back(config);
  }
  return configs;
}
proto::Ipv6Address host_behind(std::uint32_t tunnel) {
  auto host = *proto::Ipv6Address::from_text("2001:db8::1");
  proto::store_be32(host.bytes, 4, tunnel);
  return host;
}
Bytes inner_to(std::uint32_t tunnel) {
  return ipv6("2001:db8:ffff::1", host_behind(tunnel).to_text().c_str()) / udp(1, 2) / payload(8);
}

/// Tables with `count` tunnels of many().
Tables tables_with(std::size_t count) {
  TunnelSlots slots;
  for (const TunnelConfig& config : many()) {
    if (slots.size() == count) break;
    Tunnel tunnel = make_tunnel(config, 1480, 1500);
    tunnel.index = static_cast<std::uint32_t>(slots.size());
    slots.push_back(std::make_shared<const Tunnel>(std::move(tunnel)));
  }
  return Tables(std::move(slots), {.addresses = {kLocal}});
}

/// The slot that the tables choose for a packet to `destination`.
std::optional<std::uint32_t> chosen_slot(const Tables& tables, const Bytes& packet) {
  return tables.selector().slot_of(tables.selector().choose(classify(packet), packet));
}
Bytes inner_to_ipv4(proto::Ipv4Address destination) {
  return ipv4("192.0.2.9", destination.to_text()) / udp(1, 2) / payload(8);
}

TEST(Prefetcher, PredictsTheSlotThatIsFound) {
  const Tables tables = tables_with(kTunnels);
  for (std::uint32_t i = 0; i < kTunnels; ++i) {
    const TunnelConfig& config = tables.tunnel(i).config;
    EXPECT_EQ(chosen_slot(tables, inner_to(i)), i);
    for (const auto& prefix : config.prefixes4)
      EXPECT_EQ(chosen_slot(tables, inner_to_ipv4(prefix.address)), i);
    proto::OptionalWord key;
    if (i % 2 != 0) key = i;
    EXPECT_EQ(
        tables.predict_slot(tables.tunnel(i).ipv6_protocol, config.remote.address(), kLocal, key),
        i);
  }
  EXPECT_FALSE(chosen_slot(tables, inner_to(kTunnels)));
  EXPECT_FALSE(chosen_slot(tables, inner_to_ipv4(*proto::Ipv4Address::from_text("12.0.0.1"))));
  EXPECT_FALSE(tables.predict_slot(proto::kProtocolIpv6, kRemote, kLocal, {}));
}

/// A round's packets, each of another flow; some must not be read.
struct OutboundRound {
  explicit OutboundRound(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      buffers.push_back(inner_to(static_cast<std::uint32_t>(i)));
      packets.emplace_back(buffers.back(), 0, buffers.back().size());
      packets.back().truncated = i % 5 == 3;
    }
  }
  std::deque<Bytes> buffers;
  std::vector<io::Packet> packets;
};

/// `has_choice`: the tunnel of each packet is chosen ahead.
void expect_classified(const OutboundPacket& classified, const io::Packet& packet, FlowTable* flows,
                       bool has_choice) {
  const PacketMeta meta = packet.truncated ? PacketMeta{} : classify(packet.bytes());
  EXPECT_EQ(classified.meta.has_ip_header(), meta.has_ip_header());
  EXPECT_EQ(classified.meta.size_bytes, meta.size_bytes);
  EXPECT_EQ(classified.meta.ports, meta.ports);
  EXPECT_EQ(classified.meta.packet_count, 1u);
  EXPECT_EQ(classified.choice.is_known(), has_choice);
  if (has_choice) {
    EXPECT_EQ(classified.choice.is_none(), !meta.has_ip_header());
  }
  if (flows == nullptr || packet.truncated) {
    EXPECT_EQ(classified.flow.role, FlowRole::none);
    return;
  }
  const FlowPacket flow = flow_of(meta, packet.bytes(), Direction::outbound);
  EXPECT_EQ(classified.flow.key, flow.key);
  EXPECT_EQ(classified.flow.hash, flows->hash(flow.key));
}

TEST(Prefetcher, ClassifiesEachPacketByItsTurn) {
  const auto table = std::move(*FlowTable::open(1'024));
  TunnelStats stats;
  for (std::uint32_t slot = 0; slot < kTunnels; ++slot) ASSERT_TRUE(stats.prepare(slot, 1));
  for (const std::size_t tunnels : {std::size_t{1}, std::size_t{kTunnels}}) {
    const Tables tables = tables_with(tunnels);
    for (FlowTable* const flows : {static_cast<FlowTable*>(nullptr), table.get()}) {
      Prefetcher prefetcher(flows, stats);
      for (const std::size_t count : {40, 1, 16, 17, 0, 64}) {
        const OutboundRound round(count);
        prefetcher.begin(tables);
        for (std::size_t i = 0; i < count; ++i)
          expect_classified(prefetcher.outbound(round.packets, i), round.packets[i], flows,
                            tunnels >= Prefetcher::kMinTunnels);
      }
    }
  }
}

// Packets that must not be parsed are not parsed ahead; the packets behind them are forwarded all
// the same.
TEST(Prefetcher, LeavesPacketsAsTheyAre) {
  TunnelRig rig{many(), {kLocal}};
  std::mt19937 random(1);
  std::uint64_t whole = 0, all = 0;
  for (int round = 0; round < 200; ++round) {
    const std::size_t count = random() % 40;
    for (std::size_t i = 0; i < count; ++i, all += 2) {
      const auto tunnel = static_cast<std::uint32_t>(random() % kTunnels);
      const bool is_whole = random() % 3 != 0;
      Bytes out = inner_to(tunnel);
      Bytes in =
          ipv4("10.0.0.0", "192.0.2.1") / ipv6("2001:db8::1", "2001:db8:ffff::1") / udp(1, 2);
      if (!is_whole) {
        out.resize(random() % 8);
        in.resize(random() % 24);
      }
      whole += is_whole;
      rig.queues().put(io::Source::tun, out).truncated = !is_whole && random() % 2 != 0;
      rig.queues().put(io::Source::tunnel, in).has_bad_offload = !is_whole && random() % 2 != 0;
    }
    rig.round();
  }
  const Totals totals = rig.totals();
  EXPECT_EQ(totals.out_packets, whole);
  EXPECT_EQ(totals.in_packets, whole);
  EXPECT_EQ(totals.out_received + totals.in_received, all);
  expect_conserved(rig);
}

}  // namespace
}  // namespace culvert::test
