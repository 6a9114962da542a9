#include "engine/forward/tunnel_prefetcher.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/support/packet_builder.h"
#include "tests/support/tunnel_rig.h"

namespace culvert::test {
namespace {

constexpr std::uint32_t kTunnels = 2 * TunnelPrefetcher::kMinTunnels;

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

TEST(TunnelPrefetcher, PredictsTheSlotThatIsFound) {
  TunnelSlots slots;
  for (const TunnelConfig& config : many()) {
    Tunnel tunnel = make_tunnel(config, 1480, 1500);
    tunnel.index = static_cast<std::uint32_t>(slots.size());
    slots.push_back(std::make_shared<const Tunnel>(std::move(tunnel)));
  }
  const Tables tables(std::move(slots), {kLocal});
  for (std::uint32_t i = 0; i < kTunnels; ++i) {
    const TunnelConfig& config = tables.tunnel(i).config;
    EXPECT_EQ(tables.routes().predict_slot(host_behind(i)), i);
    for (const auto& prefix : config.prefixes4)
      EXPECT_EQ(tables.routes().predict_slot(prefix.address), i);
    proto::OptionalWord key;
    if (i % 2 != 0) key = i;
    EXPECT_EQ(tables.predict_slot(tables.tunnel(i).ip_protocol, config.remote, kLocal, key), i);
  }
  EXPECT_FALSE(tables.routes().predict_slot(host_behind(kTunnels)));
  EXPECT_FALSE(tables.routes().predict_slot(*proto::Ipv4Address::from_text("12.0.0.1")));
  EXPECT_FALSE(tables.predict_slot(proto::kProtocolIpv6, kRemote, kLocal, {}));
}

// Packets that must not be parsed are not parsed ahead; the packets behind them are forwarded all
// the same.
TEST(TunnelPrefetcher, LeavesPacketsAsTheyAre) {
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
