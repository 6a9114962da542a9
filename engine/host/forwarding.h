// ForwardingGuard: sets the sysctls that let the kernel forward between tunnel devices and other
// interfaces, and restores the previous values at the end. After SIGKILL nothing is restored. One
// thread.
//
// IPv6, in the order of the writes:
// 1. accept_ra = 2 where it is 1. An interface that starts to forward ignores router advertisements
//    with accept_ra = 1, and the kernel drops the default routes learned from them.
// 2. Before Linux 6.17: all.forwarding = 1. ip6_forward() drops every packet while it is 0,
//    whatever the interfaces have. Writing it sets every interface, so each other interface gets
//    its own value back at once: a host that accepts router advertisements shall continue to accept
//    them.
// 3. IF.forwarding = 1. It makes the interface a router's: its neighbor advertisements have the R
//    flag.
// 4. Since Linux 6.17: IF.force_forwarding = 1 instead of step 2. It lets packets that arrive by
//    this interface be forwarded while all.forwarding is 0.
//
// IPv4: IF.forwarding = 1.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "engine/host/device_settings.h"
#include "engine/ndp/ndp_config.h"

namespace culvert::host {

/// The names of the interfaces that shall forward IPv6 and IPv4. Sorted, no duplicates.
struct ForwardingSettings {
  std::vector<std::string> ipv6, ipv4;
  friend bool operator==(const ForwardingSettings&, const ForwardingSettings&) = default;
};

/// The interfaces that shall forward: the devices with `forwarding`. If there is one, also the
/// interfaces of `ndp` and of the present default routes. IPv4 only if the tunnels of a device with
/// `forwarding` have IPv4 prefixes.
[[nodiscard]] ForwardingSettings forwarding_settings(std::span<const DeviceSettings* const> devices,
                                                     std::span<const NdpConfig> ndp);

/// A warning with its remedy if the kernel does not forward to and from the prefixes of the
/// device's tunnels; empty: it does, or the settings have `forwarding`, or the tunnels have no
/// prefixes.
[[nodiscard]] std::string forwarding_warning(const DeviceSettings& settings);

/// A warning with its remedy if the kernel does not forward what an NDP proxy attracts; empty: it
/// does, or no target of the proxy is beyond the tunnels' own devices, for which forwarding_warning()
/// speaks. `devices`: those of the same process.
[[nodiscard]] std::string ndp_forwarding_warning(const NdpConfig& ndp,
                                                 std::span<const DeviceSettings* const> devices);

/// Sets sysctls, and restores them in the reverse order when it is destroyed.
class ForwardingGuard {
 public:
  /// `may_force`: use force_forwarding if the kernel has it; false: do as before Linux 6.17.
  explicit ForwardingGuard(bool may_force = true) : may_force_(may_force) {}
  ~ForwardingGuard() { restore(); }
  ForwardingGuard(const ForwardingGuard&) = delete;
  ForwardingGuard& operator=(const ForwardingGuard&) = delete;

  /// Makes the interfaces of `wanted` forward. If an interface of the previous call is not in
  /// `wanted`, all values are restored first. A missing interface is not an error. On failure all
  /// values are as before the first call.
  [[nodiscard]] Result<void> set(const ForwardingSettings& wanted);
  /// The same, but interfaces of earlier calls stay: for uplinks that appear and disappear.
  [[nodiscard]] Result<void> widen(const ForwardingSettings& wanted);
  /// Restores all values.
  void restore() noexcept;

 private:
  struct Saved {
    std::string path, value;
  };
  Result<void> write(const std::string& path, const std::string& value);
  Result<void> keep_accepting_advertisements(const std::string& interface);
  Result<void> switch_on_all();
  Result<void> switch_on(const ForwardingSettings& wanted);

  bool may_force_;
  ForwardingSettings applied_;
  std::vector<Saved> saved_;
};

}  // namespace culvert::host
