#include "engine/tables/path.h"

namespace culvert {
namespace {

constexpr auto kLearnedLifetime = std::chrono::minutes{10};

/// An interface index that cannot exist: sending by it fails with ENODEV.
constexpr std::uint32_t kNoInterface = 0x7fff'ffff;

/// Returns whether the value has changed.
template <class Atomic, class Value>
bool store_if_changed(Atomic& atomic, const Value& value) noexcept {
  if (atomic.load(std::memory_order_relaxed) == value) return false;
  atomic.store(value, std::memory_order_relaxed);
  return true;
}

}  // namespace

bool refresh_path(const TunnelConfig& config, Path& path, io::RouteLookup& lookup,
                  Time now) noexcept {
  path.learned_mtu.drop_expired(now);
  if (!config.dev.empty()) {
    const auto index = io::interface_index(config.dev);
    store_if_changed(path.interface_index, index != 0 ? index : kNoInterface);
  }
  const auto route = config.remote.is_fixed()
                         ? lookup.look_up(config.dev, config.remote.address(), config.local)
                         : std::nullopt;
  const bool has_new_mtu = route && store_if_changed(path.route_mtu, route->mtu_bytes);
  const auto local = config.local.value_or(route ? route->source : proto::Ipv4Address{});
  return store_if_changed(path.local, local) || has_new_mtu;
}

void learn_path_mtu(const Tunnel& tunnel, std::uint16_t mtu_bytes, Time now) noexcept {
  tunnel.path->learned_mtu.learn(mtu_bytes, now + kLearnedLifetime);
}

}  // namespace culvert
