// What a configuration makes of the tunnels that there are: which keep their slot, which come and
// which go. A tunnel is known by its name, and one that has not changed is the same object in the
// tables before and after. Part of engine.cc; not for others. One thread.
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
  std::vector<std::uint32_t> by_position;    ///< slot, by the place in Config::tunnels
  std::vector<std::uint32_t> added;          ///< slots of names that were not there
  std::vector<std::uint32_t> with_new_path;  ///< slots of those, and of others whose ends changed
  std::vector<std::uint32_t> removed;        ///< slots in `current` whose names are gone
};

/// `tunnels`: valid. Slots that `current` has in use are not given to others, not even if their
/// tunnel is removed: workers may be counting there until the plan's tables are published. Routes
/// of new paths are looked up. `device_mtu`: nothing: the smallest MTU that suits one of them,
/// static 1280 (RFC 4213 3.2.1), dynamic what fits the route.
[[nodiscard]] TunnelPlan plan_tunnels(const TunnelSlots& current, std::vector<TunnelConfig> tunnels,
                                      std::optional<std::uint16_t> device_mtu);

}  // namespace culvert
