#include "engine/tunnel_table.h"

namespace culvert {

TunnelTable::TunnelTable(const std::vector<Tunnel>& tunnels) {
  for (const Tunnel& tunnel : tunnels) tunnels_.push_back(&tunnel);
}

namespace {

std::optional<std::uint32_t> key_in(const Tunnel& tunnel) noexcept {
  return dispatch(tunnel.config.mode, [](auto encapsulation, const auto& parameters) {
    return encapsulation.key_in(parameters);
  });
}

std::optional<std::uint32_t> key_out(const Tunnel& tunnel) noexcept {
  return dispatch(tunnel.config.mode, [](auto encapsulation, const auto& parameters) {
    return encapsulation.key_out(parameters);
  });
}

proto::Ipv4Address local_of(const Tunnel& tunnel) noexcept {
  return tunnel.path->local.load(std::memory_order_relaxed);
}

}  // namespace

const Tunnel* TunnelTable::find(std::uint8_t ip_protocol, proto::Ipv4Address source,
                                proto::Ipv4Address destination,
                                const proto::OptionalWord& key) const noexcept {
  for (const Tunnel* tunnel : tunnels_) {
    if (tunnel->config.remote == source && tunnel->ip_protocol == ip_protocol &&
        local_of(*tunnel) == destination && key_in(*tunnel) == key) {
      return tunnel;
    }
  }
  return nullptr;
}

const Tunnel* TunnelTable::find_sender(std::uint8_t ip_protocol, proto::Ipv4Address source,
                                       proto::Ipv4Address destination,
                                       std::optional<std::uint32_t> key) const noexcept {
  for (const Tunnel* tunnel : tunnels_) {
    if (tunnel->config.remote == destination && tunnel->ip_protocol == ip_protocol &&
        local_of(*tunnel) == source && (!key || key_out(*tunnel) == key)) {
      return tunnel;
    }
  }
  return nullptr;
}

}  // namespace culvert
