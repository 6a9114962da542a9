#include "engine/tables/tables.h"

#include <unordered_set>
#include <utility>

namespace culvert {
namespace {

TunnelSlots slots_of(std::vector<Tunnel> tunnels) {
  TunnelSlots slots;
  slots.reserve(tunnels.size());
  for (Tunnel& tunnel : tunnels) {
    tunnel.index = static_cast<std::uint32_t>(slots.size());
    slots.push_back(std::make_shared<const Tunnel>(std::move(tunnel)));
  }
  return slots;
}

std::vector<const Tunnel*> one_per_path(const TunnelSlots& slots) {
  std::vector<const Tunnel*> tunnels;
  std::unordered_set<const Path*> seen;
  for (const auto& tunnel : slots)
    if (tunnel && seen.insert(tunnel->path.get()).second) tunnels.push_back(tunnel.get());
  return tunnels;
}

}  // namespace

Tables::Tunnels::Tunnels(TunnelSlots all)
    : slots(std::move(all)),
      by_outer(slots),
      selector(slots),
      one_per_path(culvert::one_per_path(slots)) {}

Tables::Tables(TunnelSlots slots, HostFacts host, const IcmpRules& icmp)
    : tunnels_(std::make_shared<const Tunnels>(std::move(slots))),
      host_(std::move(host)),
      icmp_(icmp) {}

Tables::Tables(std::vector<Tunnel> tunnels) : Tables(slots_of(std::move(tunnels))) {}

Tables::Tables(const Tables& other, HostFacts host)
    : tunnels_(other.tunnels_), host_(std::move(host)), icmp_(other.icmp_) {}

}  // namespace culvert
