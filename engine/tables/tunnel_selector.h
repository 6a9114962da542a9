// TunnelSelector: selects the tunnel of an outbound packet that no pin leads. One function, whose body
// depends on the tunnels of the device: the only tunnel if it carries all destinations, else
// longest-prefix match. Immutable after construction: any thread reads it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "engine/model/packet_meta.h"
#include "engine/tables/route_table.h"
#include "engine/tables/tunnel.h"
#include "engine/tables/tunnel_table.h"

namespace culvert {

class TunnelSelector {
 public:
  /// `tunnels` stays with the caller, unchanged, and must outlive the selector.
  explicit TunnelSelector(const TunnelSlots& tunnels);

  /// Chooses ahead of the packet's turn: select() then looks nothing up. Reads no Tunnel, except for
  /// a link-local destination. `bytes`: the packet that `meta` describes; without an IP header only
  /// the only tunnel carries it.
  [[nodiscard]] TunnelChoice choose(const PacketMeta& meta,
                                    std::span<const std::byte> bytes) const noexcept {
    switch (rule_) {
      case Rule::only_tunnel:
        return only_;
      case Rule::longest_prefix:
        break;
    }
    return routes_.choose(meta, bytes);
  }
  /// The slot of a tunnel that select() may return for this choice, for prefetching; nullopt: none.
  [[nodiscard]] std::optional<std::uint32_t> slot_of(TunnelChoice choice) const noexcept {
    return routes_.slot_of(choice);
  }
  /// Selects the tunnel. `choice`: as choose() returned it for this packet, or unknown.
  [[nodiscard]] RouteTable::Route select(TunnelChoice choice, const PacketMeta& meta,
                                         std::span<const std::byte> bytes) const noexcept {
    return routes_.resolve(choice.is_known() ? choice : choose(meta, bytes), meta, bytes);
  }

 private:
  /// The body of choose().
  enum class Rule : std::uint8_t { only_tunnel, longest_prefix };

  RouteTable routes_;
  Rule rule_ = Rule::longest_prefix;
  TunnelChoice only_{};  ///< for Rule::only_tunnel
};

}  // namespace culvert
