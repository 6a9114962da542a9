// HostChecker: checks settings against this host's addresses, interfaces and routes. One thread.
#pragma once

#include <map>
#include <optional>
#include <utility>

#include "engine/host/device_settings.h"
#include "io/netlink/netlink.h"

namespace culvert::host {

/// Checks that `local` is an address of this host, that `dev` is one of its interfaces, and that no
/// route leads the outer packets into the tunnel. Tunnels share most look-ups, so the checker
/// caches the kernel's answers: use one checker for one start or one change.
class HostChecker {
 public:
  /// `netlink` outlives this object.
  explicit HostChecker(netlink::Netlink& netlink) : netlink_(netlink) {}
  /// Checks all tunnels of a device: check_endpoint(), check_remotes() and check_routes(). The error
  /// names the device, the tunnel and its line in the file, the word, its value and a remedy.
  [[nodiscard]] Result<void> check(const DeviceSettings& settings);
  /// Checks that no `remote` is an address of this host, or the broadcast or network address of one
  /// of its subnets. Loopback addresses are allowed: validate() has a rule for them.
  [[nodiscard]] Result<void> check_remotes(const DeviceSettings& settings);
  /// Checks that no route of the device leads the outer packets into a tunnel.
  [[nodiscard]] Result<void> check_routes(const DeviceSettings& settings);
  /// Checks `dev` and `local` of one tunnel. Fails with ENODEV or EADDRNOTAVAIL if this host does
  /// not have them; it may get them later.
  [[nodiscard]] Result<void> check_endpoint(const DeviceSettings& settings,
                                            const TunnelConfig& tunnel);
  /// Whether this host has `dev` and `local` of the tunnel. Cheaper than check_endpoint(): one
  /// look-up for all tunnels with the same value.
  [[nodiscard]] bool has_endpoint(const TunnelConfig& tunnel);

 private:
  using Route = Result<std::optional<netlink::RouteFound>>;
  [[nodiscard]] unsigned interface_index(const std::string& name);
  [[nodiscard]] const Route& route_to(proto::Ipv4Address address, unsigned device_index = 0);
  [[nodiscard]] Result<bool> is_local(const TunnelConfig& tunnel, unsigned outer_index);
  [[nodiscard]] Result<void> check_local(const DeviceSettings& settings, const TunnelConfig& tunnel,
                                         unsigned outer_index);
  [[nodiscard]] Result<void> check_route(const DeviceSettings& settings, const TunnelConfig& tunnel,
                                         const proto::Ipv4Prefix& route, std::string_view word);

  /// Addresses that are no remote endpoints, each with the reason.
  using NoRemotes = std::map<proto::Ipv4Address, std::string>;
  [[nodiscard]] Result<void> read_no_remotes();

  netlink::Netlink& netlink_;
  std::optional<NoRemotes> no_remotes_;
  std::map<std::string, unsigned, std::less<>> interfaces_;
  std::map<std::pair<proto::Ipv4Address, unsigned>, Route> routes_;
};

}  // namespace culvert::host
