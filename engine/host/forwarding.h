// What the kernel needs to forward between tunnels and the interfaces beside them, and giving back
// what was there. A process that is killed (SIGKILL) gives nothing back. One thread.
//
// ip6_forward() drops everything while net.ipv6.conf.all.forwarding is 0, whatever the interfaces
// say; since Linux 6.17 net.ipv6.conf.IF.force_forwarding lets in what comes by one interface. So
// where that is there nothing else is switched. Elsewhere `all` is, which switches every interface:
// each gets its own value back at once, for a host that hears router advertisements is to hear them
// on. The interface's own `forwarding` is what makes it a router's: its advertisements say so (R).
// It also ends accept_ra = 1 and drops the default routes learned so, hence 2, and first.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "engine/host/device_settings.h"
#include "engine/ndp/ndp_config.h"

namespace culvert::host {

/// The interfaces that are to forward; names, sorted, nothing twice.
struct ForwardingSettings {
  std::vector<std::string> ipv6, ipv4;
  friend bool operator==(const ForwardingSettings&, const ForwardingSettings&) = default;
};

/// Devices that say `forwarding`, and if there is one the interfaces of [ndp] sections and of the
/// default routes that there are now. IPv4 only for devices whose tunnels have IPv4 prefixes.
[[nodiscard]] ForwardingSettings forwarding_settings(std::span<const DeviceSettings* const> devices,
                                                     std::span<const NdpConfig> ndp);

/// Why packets to and from the prefixes of the device's tunnels stay on this host, and what to
/// write; empty: they do not, or nobody asks for it.
[[nodiscard]] std::string why_not_forwarded(const DeviceSettings& settings);

/// Keeps sysctls as they must be, and restores them in the reverse order when it ends.
class ForwardingGuard {
 public:
  /// `may_force`: use force_forwarding where it is there; without, it is done as before Linux 6.17.
  explicit ForwardingGuard(bool may_force = true) : may_force_(may_force) {}
  ~ForwardingGuard() { restore(); }
  ForwardingGuard(const ForwardingGuard&) = delete;
  ForwardingGuard& operator=(const ForwardingGuard&) = delete;

  /// Sets what the wish needs beyond what is set; gives back all first if it needs less. An
  /// interface that is gone is no error. On failure all is as it was before the first call.
  [[nodiscard]] Result<void> set(const ForwardingSettings& wish);
  /// The same, but what is set stays: for uplinks that come and go.
  [[nodiscard]] Result<void> widen(const ForwardingSettings& wish);
  void restore() noexcept;

 private:
  struct Saved {
    std::string path, value;
  };
  Result<void> write(const std::string& path, const std::string& value);
  Result<void> keep_hearing_routers(const std::string& interface);
  Result<void> switch_on_all();
  Result<void> switch_on(const ForwardingSettings& wish);

  bool may_force_;
  ForwardingSettings wish_;
  std::vector<Saved> saved_;
};

}  // namespace culvert::host
