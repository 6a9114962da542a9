// The addresses of a device and the routes by it: which there should be, and bringing the kernel
// from those that are there to those. One thread.
#pragma once

#include <vector>

#include "engine/host/device_settings.h"
#include "io/netlink/netlink.h"

namespace culvert::host {

/// What a device should have; each list sorted, nothing twice.
struct DeviceState {
  std::vector<proto::Ipv6Prefix> addresses6;
  std::vector<proto::Ipv4Prefix> addresses4;
  std::vector<proto::Ipv6Prefix> routes6;
  std::vector<proto::Ipv4Prefix> routes4;
  friend bool operator==(const DeviceState&, const DeviceState&) = default;
};

/// What follows from the settings and the local addresses in use:
/// - a link-local address for each distinct local address (RFC 4213 3.7), unless it was asked for;
/// - a route to each prefix of a tunnel that neither an address nor a `route` of the device covers,
///   nor another such route. Never a default route: whoever wants that says `route`.
/// `locals`: may hold 0.0.0.0 (not known yet), and the same twice.
[[nodiscard]] DeviceState state_of(const DeviceSettings& settings,
                                   const std::vector<proto::Ipv4Address>& locals);

/// What we have put on one device.
class AddressSync {
 public:
  AddressSync(netlink::Netlink& netlink, unsigned device_index)
      : netlink_(netlink), device_index_(device_index) {}

  /// Removes what should not be there and adds what should. An error leaves the rest undone: call
  /// it with what was there before, and it is as before.
  [[nodiscard]] Result<void> set_addresses(const DeviceState& wanted);
  /// The device must be up.
  [[nodiscard]] Result<void> set_routes(const DeviceState& wanted);

 private:
  netlink::Netlink& netlink_;
  unsigned device_index_;
  DeviceState there_;
};

}  // namespace culvert::host
