// AddressSync: keeps the kernel's addresses of a device and routes by it equal to the settings.
// desired_state() computes the addresses and routes; AddressSync applies the difference. One
// thread.
#pragma once

#include <string>
#include <vector>

#include "engine/host/device_settings.h"
#include "io/netlink/netlink.h"

namespace culvert::host {

/// The addresses and routes of one device. Each list is sorted and has no duplicates.
struct DeviceState {
  std::vector<proto::Ipv6Prefix> addresses6{};
  std::vector<proto::Ipv4Prefix> addresses4{};
  std::vector<proto::Ipv6Prefix> routes6{};
  std::vector<proto::Ipv4Prefix> routes4{};
  /// Unreachable routes, which belong to no device.
  std::vector<proto::Ipv6Prefix> routed6{};
  std::vector<proto::Ipv4Prefix> routed4{};
  friend bool operator==(const DeviceState&, const DeviceState&) = default;
};

/// Returns whether a tunnel of the device carries IPv6.
[[nodiscard]] bool carries_ipv6(const DeviceSettings& settings);

/// Computes the addresses and routes of a device:
/// - the configured addresses, and a link-local address for each distinct local endpoint
///   (RFC 4213 3.7), unless it is configured or no tunnel carries IPv6;
/// - the configured routes, and a route to each tunnel prefix that no address, no configured route
///   and no other tunnel prefix covers. A tunnel prefix never becomes a default route: that needs
///   the word `route`.
/// - an unreachable route for each prefix that the remote endpoints route here.
/// `locals`: the local endpoints in use. It may hold 0.0.0.0 (not known yet) and duplicates.
[[nodiscard]] DeviceState desired_state(const DeviceSettings& settings,
                                        const std::vector<proto::Ipv4Address>& locals);

/// Applies addresses and routes to one device and remembers them. The destructor removes the
/// unreachable routes; the kernel removes the rest with the device.
class AddressSync {
 public:
  /// `netlink` outlives this object.
  AddressSync(netlink::Netlink& netlink, unsigned device_index)
      : netlink_(netlink), device_index_(device_index) {}
  ~AddressSync();
  AddressSync(const AddressSync&) = delete;
  AddressSync& operator=(const AddressSync&) = delete;

  /// Removes the addresses that are not in `wanted`, then adds the missing ones. Stops at the first
  /// error; a call with the previous state then restores the previous addresses.
  [[nodiscard]] Result<void> set_addresses(const DeviceState& wanted);
  /// Does the same for routes. The device must be up.
  [[nodiscard]] Result<void> set_routes(const DeviceState& wanted);
  /// Blocks until the kernel accepts packets to the IPv6 addresses that were added since the last
  /// call, up to a second. The device must be up.
  void wait_for_addresses();
  /// Adds again what set_addresses() and set_routes() have added and the kernel no longer has, as
  /// after a flush by another program or while the device was down; the routes to the networks of
  /// the addresses too. Does nothing while the device is down. `wanted`: the present settings.
  /// Returns what was missing, as text. Fails if something cannot be added; a later call tries it
  /// again.
  [[nodiscard]] Result<std::vector<std::string>> restore(const DeviceState& wanted);

  [[nodiscard]] unsigned device_index() const noexcept { return device_index_; }

 private:
  [[nodiscard]] Result<void> set_unreachable_routes(const DeviceState& wanted);
  [[nodiscard]] Result<void> forget_lost_unreachable(std::vector<std::string>& lost);
  [[nodiscard]] Result<netlink::DeviceFound> read_device();
  [[nodiscard]] bool has_all(const netlink::DeviceFound& found) const;
  [[nodiscard]] Result<void> bring_to(const DeviceState& wanted);
  [[nodiscard]] Result<void> restore_network_routes(const netlink::DeviceFound& found,
                                                    std::vector<std::string>& restored);

  netlink::Netlink& netlink_;
  unsigned device_index_;
  DeviceState applied_;                      ///< the kernel has these by our calls
  std::vector<proto::Ipv6Address> awaited_;  ///< of wait_for_addresses()
};

}  // namespace culvert::host
