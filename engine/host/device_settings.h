// DeviceSettings: one device, as the command line or the file describes it. Plain values; any
// thread.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/config.h"
#include "proto/address.h"

namespace culvert::host {

/// Where a file describes the tunnels of a device, for errors.
struct FileLines {
  std::string file;
  std::map<std::string, unsigned, std::less<>> tunnels;  ///< by name; the first line of its section
};

/// The settings of `culvert run NAME …` or of one `[device.NAME]`: the configuration of the engine,
/// and the addresses, routes and forwarding that the kernel gets for the device.
struct DeviceSettings {
  Config config;
  std::vector<proto::Ipv6Prefix> addresses6;
  std::vector<proto::Ipv4Prefix> addresses4;
  std::vector<proto::Ipv6Prefix> routes6;
  std::vector<proto::Ipv4Prefix> routes4;
  /// Prefixes that the remote endpoints route here. For what no other route leads to the kernel gets
  /// an unreachable route, so that no default route leads back into a tunnel (RFC 5969 7.1.1).
  std::vector<proto::Ipv6Prefix> routed6;
  std::vector<proto::Ipv4Prefix> routed4;
  /// The kernel shall forward between the device and other interfaces (forwarding.h).
  bool forwarding = false;
  /// Addresses and prefixes that were written without a prefix length, which counts as 128 or 32:
  /// "address 2001:db8:1::2 (line 4)". The owner tells the user.
  std::vector<std::string> without_length{};
  /// Null: the settings are not those of a file, or were changed since.
  std::shared_ptr<const FileLines> lines{};
};

/// Returns whether there are IPv4 addresses, routes or prefixes, and none of IPv6. The device then does
/// not need IPv6 (Config::needs_ipv6). Without any of them another program may add those of IPv6.
[[nodiscard]] inline bool is_ipv4_only(const DeviceSettings& settings) {
  const auto& tunnels = settings.config.tunnels;
  const bool has_ipv6 =
      std::any_of(tunnels.begin(), tunnels.end(),
                  [](const TunnelConfig& tunnel) { return tunnel.expects_ipv6(); }) ||
      !settings.addresses6.empty() || !settings.routes6.empty() || !settings.routed6.empty();
  const bool has_ipv4 = has_ipv4_prefix(tunnels) || !settings.addresses4.empty() ||
                        !settings.routes4.empty() || !settings.routed4.empty();
  return has_ipv4 && !has_ipv6;
}

}  // namespace culvert::host
