// RemovalWatch: reports that addresses of our devices or routes by them were removed, by whatever
// program. One thread.
#pragma once

#include <vector>

#include "io/netlink/netlink.h"

namespace culvert::host {

/// Reports that an address of a device or a route by it was removed, or that the device was changed:
/// with its IFF_UP the kernel removes IPv4 routes without an event. It also reports each static
/// unreachable route that was removed from the main table. It does not report the change
/// itself: the caller reads the present state again (AddressSync::restore()).
class RemovalWatch {
 public:
  [[nodiscard]] static Result<RemovalWatch> open();

  /// Watches these devices alone. The kernel queues no event of other interfaces, so thousands of
  /// route changes a second elsewhere cost this process nothing. `device_indices`: at most 2,000;
  /// with more of them every removal on the host is reported.
  void set_devices(const std::vector<unsigned>& device_indices);

  /// The descriptor is readable after a change.
  [[nodiscard]] int fd() const noexcept;
  /// Discards the events received so far. Does not block.
  void drain() noexcept;

 private:
  explicit RemovalWatch(netlink::NlSocket socket) : socket_(std::move(socket)) {}
  netlink::NlSocket socket_;
};

}  // namespace culvert::host
