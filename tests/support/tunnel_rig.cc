#include "tests/support/tunnel_rig.h"

namespace culvert::test {

TunnelConfig sit_config() {
  return {.name = "test",
          .mode = proto::SixInFour::Parameters{},
          .local = kLocal,
          .remote = kRemote,
          .ttl = std::uint8_t{64}};
}

proto::Ipv4Address remote_numbered(int number) {
  proto::Ipv4Address remote = kRemote;
  remote.bytes[3] = std::byte(number);
  return remote;
}

TunnelConfig ipip_config() {
  TunnelConfig config = sit_config();
  config.mode = proto::Ipip::Parameters{};
  return config;
}

TunnelConfig gre_config(const proto::Gre::Parameters& parameters) {
  TunnelConfig config = sit_config();
  config.mode = parameters;
  return config;
}

Tunnel make_tunnel(const TunnelConfig& config, std::uint16_t device_mtu, std::uint16_t path_mtu) {
  auto path = std::make_shared<Path>();
  path->local = config.local.value_or(kLocal);
  path->route_mtu = path_mtu;
  Tunnel tunnel = culvert::make_tunnel(config, std::move(path));
  tunnel.device_mtu = device_mtu;
  return tunnel;
}

TunnelRig::TunnelRig(const TunnelConfig& config, std::uint16_t path_mtu, WorkerOptions options)
    : TunnelRig(std::vector{config}, {}, path_mtu, std::move(options)) {}

TunnelRig::TunnelRig(const std::vector<TunnelConfig>& configs, OwnAddresses own,
                     std::uint16_t path_mtu, WorkerOptions options) {
  TunnelSlots slots;
  for (const TunnelConfig& config : configs) {
    Tunnel tunnel = make_tunnel(config, 1480, path_mtu);
    tunnel.device_mtu = static_cast<std::uint16_t>(1500 - tunnel.overhead_bytes());
    tunnel.index = static_cast<std::uint32_t>(slots.size());
    slots.push_back(std::make_shared<const Tunnel>(std::move(tunnel)));
  }
  tables_ = std::make_unique<Snapshot<Tables>>(
      std::make_unique<Tables>(
          std::move(slots), HostFacts{.addresses = std::move(own)},
          IcmpRules{.source = proto::Ipv6Address::from_text("2001:db8:ffff::1"),
                    .min_pmtu = proto::kIpv4MinimumMtu}),
      2);
  refresher_ = std::make_unique<RouteRefresher>(*tables_, 1);
  options.refresher = refresher_.get();
  auto queues =
      std::make_unique<MemoryPacketIo>(options.sizes.batch_sends, options.sizes.batch_writes);
  queues_ = queues.get();
  worker_ = std::make_unique<Worker>(std::move(queues), *tables_, std::move(options));
  for (std::uint32_t slot = 0; slot < configs.size(); ++slot) EXPECT_TRUE(worker_->prepare(slot));
}

Totals TunnelRig::totals() const {
  Totals totals = device();
  for (std::uint32_t slot = 0; slot < tables_->current().slots().size(); ++slot)
    totals += tunnel(slot);
  return totals;
}

void expect_conserved(const TunnelRig& rig) {
  const Totals totals = rig.totals();
  for (const auto direction : {Direction::outbound, Direction::inbound, Direction::errors}) {
    EXPECT_EQ(totals.held(direction), 0u) << "direction " << static_cast<int>(direction);
  }
}

void expect_only_drop(const TunnelRig& rig, DropReason reason, std::uint64_t packets) {
  const Totals totals = rig.totals();
  for (const DropReasonFacts& each : kDropReasons) {
    const auto counted = totals.drops[static_cast<std::size_t>(each.reason)];
    EXPECT_EQ(counted, each.reason == reason ? packets : 0u) << each.name;
  }
  expect_conserved(rig);
}

}  // namespace culvert::test
