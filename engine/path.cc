#include "engine/path.h"

#include "io/raw_socket.h"

namespace culvert {
namespace {

constexpr auto kLearnedLifetime = std::chrono::minutes{10};

}  // namespace

void refresh_path(const Tunnel& tunnel, Time now) noexcept {
  Path& path = *tunnel.path;
  if (path.learned_until.load(std::memory_order_relaxed) <= now.time_since_epoch().count()) {
    path.learned_mtu.store(0, std::memory_order_relaxed);
  }
  auto probe = io::RouteProbe::open(tunnel.config.dev);
  const auto route =
      probe ? probe->look_up(tunnel.config.remote, tunnel.config.local) : std::nullopt;
  if (route) path.route_mtu.store(route->mtu_bytes, std::memory_order_relaxed);
  const auto any = route ? route->source : proto::Ipv4Address{};
  path.local.store(tunnel.config.local.value_or(any), std::memory_order_relaxed);
}

void learn_path_mtu(const Tunnel& tunnel, std::uint16_t mtu_bytes, Time now) noexcept {
  Path& path = *tunnel.path;
  path.learned_mtu.store(mtu_bytes, std::memory_order_relaxed);
  path.learned_until.store((now + kLearnedLifetime).time_since_epoch().count(),
                           std::memory_order_relaxed);
}

}  // namespace culvert
