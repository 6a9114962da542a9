#include "engine/tables/tunnel_plan.h"

#include <algorithm>
#include <chrono>
#include <string_view>
#include <utility>

#include "engine/tables/path.h"
#include "engine/tables/path_table.h"

namespace culvert {
namespace {

/// The current tunnels by name.
class TunnelsByName {
 public:
  explicit TunnelsByName(const TunnelSlots& slots) {
    for (const auto& tunnel : slots)
      if (tunnel) sorted_.emplace_back(tunnel->config.name, tunnel.get());
    std::sort(sorted_.begin(), sorted_.end());
  }
  [[nodiscard]] const Tunnel* find(std::string_view name) const {
    const auto found = std::lower_bound(sorted_.begin(), sorted_.end(), name,
                                        [](const auto& a, auto b) { return a.first < b; });
    return found != sorted_.end() && found->first == name ? found->second : nullptr;
  }

 private:
  std::vector<std::pair<std::string_view, const Tunnel*>> sorted_;
};

/// Allocates free slots, the lowest first.
class FreeSlots {
 public:
  explicit FreeSlots(const TunnelSlots& slots) : slots_(slots) {}
  [[nodiscard]] std::uint32_t allocate() {
    while (next_ < slots_.size() && slots_[next_]) ++next_;
    return next_++;
  }

 private:
  const TunnelSlots& slots_;
  std::uint32_t next_ = 0;
};

/// Returns whether the new configuration would build the same tunnel as `before`.
bool is_unchanged(const Tunnel* before, const TunnelConfig& config,
                  std::optional<std::uint16_t> device_mtu) {
  return before != nullptr && before->config == config && before->device_mtu == device_mtu;
}

/// 1280 if one of the tunnels can carry IPv6, else 0.
std::uint16_t smallest_with_ipv6(const std::vector<std::shared_ptr<Tunnel>>& tunnels) {
  const bool has_ipv6 = std::any_of(tunnels.begin(), tunnels.end(),
                                    [](const auto& each) { return each->ipv6_protocol != 0; });
  return has_ipv6 ? proto::kIpv6MinimumMtu : std::uint16_t{0};
}

}  // namespace

TunnelPlan plan_tunnels(const TunnelSlots& current, std::vector<TunnelConfig> tunnels,
                        std::optional<std::uint16_t> device_mtu, bool must_carry_ipv6) {
  const TunnelsByName by_name(current);
  FreeSlots free(current);
  PathTable paths(current);
  io::RouteLookup lookup;
  const auto now = std::chrono::steady_clock::now();
  TunnelPlan plan;
  plan.slots.reserve(std::max(current.size(), tunnels.size()));
  plan.slots.resize(current.size());
  plan.by_position.reserve(tunnels.size());
  std::vector<std::shared_ptr<Tunnel>> made;
  std::uint16_t smallest_mtu = UINT16_MAX;
  for (TunnelConfig& config : tunnels) {
    const Tunnel* before = by_name.find(config.name);
    const std::uint32_t slot = before != nullptr ? before->index : free.allocate();
    plan.by_position.push_back(slot);
    if (slot >= plan.slots.size()) plan.slots.resize(slot + 1);
    if (is_unchanged(before, config, device_mtu)) {
      plan.slots[slot] = current[slot];
      continue;
    }
    auto [path, is_new_path] = paths.find_or_make(config);
    if (is_new_path) refresh_path(config, *path, lookup, now);
    if (before == nullptr) plan.added.push_back(slot);
    if (before == nullptr || before->path != path) plan.with_new_path.push_back(slot);
    made.push_back(
        std::make_shared<Tunnel>(make_tunnel(std::move(config), std::move(path), must_carry_ipv6)));
    made.back()->index = slot;
    smallest_mtu = std::min(smallest_mtu, made.back()->device_mtu);
  }
  // The tunnels of one device may differ: IPv4 in IPv4 beside 6in4.
  if (must_carry_ipv6) smallest_mtu = std::max(smallest_mtu, smallest_with_ipv6(made));
  plan.device_mtu = device_mtu.value_or(smallest_mtu);
  for (auto& tunnel : made) {
    tunnel->device_mtu = plan.device_mtu;
    if (plan.device_mtu < proto::kIpv6MinimumMtu) tunnel->ipv6_protocol = 0;
    const std::uint32_t slot = tunnel->index;
    plan.slots[slot] = std::move(tunnel);
  }
  for (std::uint32_t slot = 0; slot < current.size(); ++slot)
    if (current[slot] && !plan.slots[slot]) plan.removed.push_back(slot);
  return plan;
}

}  // namespace culvert
