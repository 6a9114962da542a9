#include "engine/tables/tunnel.h"

#include <algorithm>
#include <utility>

namespace culvert {
namespace {

std::uint16_t default_mtu(const Tunnel& tunnel, bool must_carry_ipv6) {
  const bool has_ipv6 = tunnel.ipv6_protocol != 0 && must_carry_ipv6;
  if (!tunnel.config.pmtudisc && has_ipv6) return proto::kIpv6MinimumMtu;
  const int smallest = has_ipv6 ? proto::kIpv6MinimumMtu : proto::kIpv4MinimumMtu;
  const int overhead = tunnel.overhead_bytes() + tunnel.link_header_bytes;
  const int room = tunnel.path->route_mtu.load() - overhead;
  return static_cast<std::uint16_t>(std::clamp(room, smallest, 65'535 - overhead));
}

}  // namespace

Tunnel make_tunnel(TunnelConfig config, std::shared_ptr<Path> path, bool must_carry_ipv6) {
  if (path == nullptr) {
    path = std::make_shared<Path>();
    path->local = config.local.value_or(proto::Ipv4Address{});
  }
  Tunnel tunnel{.config = std::move(config), .path = std::move(path)};
  dispatch(tunnel.config.mode, [&](auto encapsulation, const auto& parameters) {
    for (const proto::DemuxRule& rule : encapsulation.kDemux) {
      const bool is_any = rule.protocol_type == 0;
      if (is_any || rule.protocol_type == proto::kProtocolTypeIpv6)
        tunnel.ipv6_protocol = rule.ip_protocol;
      if (is_any || rule.protocol_type == proto::kProtocolTypeIpv4)
        tunnel.ipv4_protocol = rule.ip_protocol;
      tunnel.has_ipv4_in_ipv4 |= rule.protocol_type == proto::kProtocolTypeIpv4;
    }
    tunnel.link_header_bytes =
        static_cast<std::uint8_t>(proto::link_header_bytes(encapsulation.kLinkType));
    tunnel.encapsulation_bytes =
        static_cast<std::uint16_t>(encapsulation.overhead_bytes(parameters));
    tunnel.gso =
        encapsulation.has_constant_header(parameters) ? encapsulation.kGso : proto::KernelGso::none;
  });
  tunnel.device_mtu = default_mtu(tunnel, must_carry_ipv6);
  tunnel.sources = make_source_tables(tunnel.config);
  return tunnel;
}

}  // namespace culvert
