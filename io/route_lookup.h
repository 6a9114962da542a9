// Asks the kernel for routes to remote endpoints, interfaces by name and this host's addresses. For
// set-up and periodic refreshes: never on the hot path.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "io/fd.h"
#include "io/result.h"
#include "proto/address.h"

namespace culvert::io {

/// The kernel's current route to a remote endpoint.
struct RouteFacts {
  proto::Ipv4Address source;    ///< the local address that the route uses
  std::uint16_t mtu_bytes = 0;  ///< of the route: interface MTU or learned path MTU
};

/// Looks up routes by connecting a UDP socket, which sends nothing. The socket is kept for further
/// look-ups with the same source. One thread.
class RouteLookup {
 public:
  /// `device`: consider only routes by this interface; empty: all routes. `source`: the source
  /// address of the packets if it is fixed, since policy routing may depend on it. Empty if there
  /// is no route now, or if `source` is not an address of this host.
  [[nodiscard]] std::optional<RouteFacts> look_up(
      const std::string& device, proto::Ipv4Address remote,
      std::optional<proto::Ipv4Address> source) noexcept;

 private:
  [[nodiscard]] bool open(const std::string& device,
                          std::optional<proto::Ipv4Address> source) noexcept;

  Fd socket_;
  bool is_bound_to_device_ = false;
  std::optional<proto::Ipv4Address> source_;
};

/// The index of an interface; 0 if no interface has this name now.
[[nodiscard]] std::uint32_t interface_index(const std::string& name) noexcept;

/// The smallest path MTU in bytes that this host learns from ICMPv4 errors: net.ipv4.route.min_pmtu,
/// or 552, the default of Linux, where that cannot be read.
[[nodiscard]] std::uint16_t min_path_mtu_bytes();

/// The current IPv4 addresses of this host, sorted, without duplicates. Fails as getifaddrs(3)
/// does. While others change addresses, glibc may return a list from which some are missing, and does
/// not say so: the caller watches addresses, and reads the list again after each change.
[[nodiscard]] Result<std::vector<proto::Ipv4Address>> own_ipv4_addresses();

/// The same with the prefix length of each address, in the order of the interfaces.
[[nodiscard]] Result<std::vector<proto::Ipv4Prefix>> own_ipv4_subnets();

}  // namespace culvert::io
