// What the words say against this host: whether it can be so here. One thread.
#pragma once

#include <map>
#include <optional>
#include <utility>

#include "engine/host/device_settings.h"
#include "io/netlink/netlink.h"

namespace culvert::host {

/// Checks that `local` is an address of this host, `dev` one of its interfaces, and that no route
/// leads the outer packets into the tunnel. Tunnels share most of what is looked up, so it is asked
/// once: a checker answers from one moment, and lives no longer than one start or one change.
class HostChecker {
 public:
  /// `netlink` outlives it.
  explicit HostChecker(netlink::Netlink& netlink) : netlink_(netlink) {}
  [[nodiscard]] Result<void> check(const DeviceSettings& settings);

 private:
  using Route = Result<std::optional<netlink::RouteFound>>;
  [[nodiscard]] Result<unsigned> find_outer_interface(const DeviceSettings& settings,
                                                      const TunnelConfig& tunnel);
  [[nodiscard]] const Route& route_to(proto::Ipv4Address address, unsigned device_index = 0);
  [[nodiscard]] Result<void> check_local(const DeviceSettings& settings, const TunnelConfig& tunnel,
                                         unsigned outer_index);
  [[nodiscard]] Result<void> check_route(const DeviceSettings& settings, const TunnelConfig& tunnel,
                                         const proto::Ipv4Prefix& route, std::string_view word);

  netlink::Netlink& netlink_;
  std::map<std::string, unsigned, std::less<>> interfaces_;
  std::map<std::pair<proto::Ipv4Address, unsigned>, Route> routes_;
};

}  // namespace culvert::host
