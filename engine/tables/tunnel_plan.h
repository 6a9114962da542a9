// plan_tunnels(): the difference between the current tunnels and a new configuration. Tunnels are
// matched by name; an unchanged tunnel stays the same object in the tables before and after.
// Internal to engine.cc. One thread.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "engine/config.h"
#include "engine/tables/tunnel_table.h"

namespace culvert {

struct TunnelPlan {
  TunnelSlots slots;
  std::uint16_t device_mtu = 0;
  std::vector<std::uint32_t> by_position;  ///< slots in the order of Config::tunnels
  std::vector<std::uint32_t> added;        ///< slots of new names
  /// Slots of new names, and of tunnels whose endpoints or `dev` changed.
  std::vector<std::uint32_t> with_new_path;
  std::vector<std::uint32_t> removed;  ///< slots in `current` whose names no longer exist
};

/// Plans the change from `current` to `tunnels`, which must be valid. A slot in use in `current` is
/// never reassigned, even if its tunnel is removed: workers may count in it until the planned
/// tables are published. Looks up the routes of new paths. `device_mtu` in bytes; nullopt: the
/// smallest MTU that suits one of the tunnels, which is 1280 for a static MTU (RFC 4213 3.2.1) and
/// the largest that fits the route for a dynamic MTU. `must_carry_ipv6`: it is then at least 1280. With
/// less no tunnel carries IPv6.
[[nodiscard]] TunnelPlan plan_tunnels(const TunnelSlots& current, std::vector<TunnelConfig> tunnels,
                                      std::optional<std::uint16_t> device_mtu,
                                      bool must_carry_ipv6 = true);

}  // namespace culvert
