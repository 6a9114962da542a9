#include "engine/tables/tunnel.h"

#include <algorithm>
#include <utility>

namespace culvert {
namespace {

std::uint16_t default_mtu(const Tunnel& tunnel) {
  if (!tunnel.config.pmtudisc) return proto::kIpv6MinimumMtu;
  const int room = tunnel.path->route_mtu.load() - tunnel.overhead_bytes();
  return static_cast<std::uint16_t>(
      std::clamp(room, int{proto::kIpv6MinimumMtu}, 65'535 - tunnel.overhead_bytes()));
}

}  // namespace

Tunnel make_tunnel(TunnelConfig config, std::shared_ptr<Path> path) {
  if (path == nullptr) {
    path = std::make_shared<Path>();
    path->local = config.local.value_or(proto::Ipv4Address{});
  }
  Tunnel tunnel{.config = std::move(config), .path = std::move(path)};
  dispatch(tunnel.config.mode, [&](auto encapsulation, const auto& parameters) {
    tunnel.ip_protocol = encapsulation.kIpProtocol;
    tunnel.encapsulation_bytes =
        static_cast<std::uint16_t>(encapsulation.overhead_bytes(parameters));
    tunnel.gso =
        encapsulation.has_constant_header(parameters) ? encapsulation.kGso : proto::KernelGso::none;
  });
  tunnel.device_mtu = default_mtu(tunnel);
  tunnel.sources = make_source_tables(tunnel.config);
  return tunnel;
}

}  // namespace culvert
