#include "engine/forward/outbound_way.h"

#include "engine/tables/tunnel_records.h"

namespace culvert {

static_assert(kMaxSlots < FlowPin::kNoSlot);

OutboundWay find_way(const io::Packet& packet, const OutboundPacket& ahead, const Tables& tables,
                     FlowPinning& flows) noexcept {
  if (const auto pin = flows.pinned(ahead)) {
    const Tunnel* tunnel = tables.find(pin->slot);
    if (tunnel != nullptr && tunnel->config.up) return {tunnel, true, false, *pin};
  }
  const auto [tunnel, is_up] = tables.routes().find(*ahead.inner, packet.bytes());
  if (tunnel == nullptr) return {};
  return {tunnel, is_up, true, {.slot = static_cast<std::uint16_t>(tunnel->index)}};
}

OuterEnds outer_ends(const OutboundWay& way, const OwnAddresses& own) noexcept {
  const Path& path = *way.tunnel->path;
  const TunnelConfig& config = way.tunnel->config;
  OuterEnds ends{.local = path.local.load(std::memory_order_relaxed),
                 .remote = config.remote,
                 .next_hop = path.next_hop.load(),
                 .interface_index = path.interface_index.load(std::memory_order_relaxed)};
  if (config.remote.is_unspecified()) ends.remote = way.pin.remote;
  if (!config.local && way.pin.local != ends.local && contains(own, way.pin.local))
    ends.local = way.pin.local;
  if (config.dev.empty() && way.pin.interface_index != 0) {
    ends.interface_index = way.pin.interface_index;
    if (ends.next_hop.interface_index != way.pin.interface_index) ends.next_hop = {};
  }
  return ends;
}

}  // namespace culvert
