#include "engine/forward/outbound_route.h"

#include "engine/tables/tunnel_stats.h"

namespace culvert {

static_assert(kMaxSlots < FlowPin::kNoSlot);

OutboundRoute select_tunnel(const io::Packet& packet, const OutboundPacket& classified,
                            const Tables& tables, FlowPinning& flows) noexcept {
  if (const auto pin = flows.pinned(classified.flow)) {
    const Tunnel* tunnel = tables.find(pin->slot);
    if (tunnel != nullptr && tunnel->config.up) return {tunnel, true, false, *pin};
  }
  const auto [tunnel, is_up] =
      tables.selector().select(classified.choice, classified.meta, packet.bytes());
  if (tunnel == nullptr) return {};
  return {tunnel, is_up, true, {.slot = static_cast<std::uint16_t>(tunnel->index)}};
}

OuterEndpoints outer_endpoints(const OutboundRoute& route, const OwnAddresses& own) noexcept {
  const Path& path = *route.tunnel->path;
  const TunnelConfig& config = route.tunnel->config;
  OuterEndpoints endpoints{.local = path.local.load(std::memory_order_relaxed),
                           .remote = config.remote.address_or(route.pin.remote),
                           .next_hop = path.next_hop.load(),
                           .interface_index = path.interface_index.load(std::memory_order_relaxed)};
  if (!config.local && route.pin.local != endpoints.local && contains(own, route.pin.local))
    endpoints.local = route.pin.local;
  if (config.dev.empty() && route.pin.interface_index != 0) {
    endpoints.interface_index = route.pin.interface_index;
    if (endpoints.next_hop.interface_index != route.pin.interface_index) endpoints.next_hop = {};
  }
  return endpoints;
}

}  // namespace culvert
