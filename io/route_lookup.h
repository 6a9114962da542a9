// What the kernel knows of the ways out: routes to remote endpoints, interfaces by name, this
// host's addresses. House-keeping and set-up: never on a packet's way.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "io/fd.h"
#include "io/result.h"
#include "proto/address.h"

namespace culvert::io {

/// The route to a remote endpoint as the kernel sees it now.
struct RouteFacts {
  proto::Ipv4Address source;    ///< the local address that the route uses
  std::uint16_t mtu_bytes = 0;  ///< of the route: interface MTU or learned path MTU
};

/// Asks the kernel for routes by connecting a UDP socket, which sends nothing. The socket stays for
/// look-ups with the same source. One thread.
class RouteLookup {
 public:
  /// `device`: routes by this interface alone; empty: by any. `source`: the address that packets
  /// will have, if fixed: policy routing may look at it. Nothing: there is no route now (or the
  /// address is not ours).
  [[nodiscard]] std::optional<RouteFacts> look_up(
      const std::string& device, proto::Ipv4Address remote,
      std::optional<proto::Ipv4Address> source) noexcept;

 private:
  [[nodiscard]] bool open(const std::string& device,
                          std::optional<proto::Ipv4Address> source) noexcept;

  Fd socket_;
  bool is_bound_to_device_ = false;  ///< to a device
  std::optional<proto::Ipv4Address> source_;
};

/// The index of an interface; 0: there is none of this name now.
[[nodiscard]] std::uint32_t interface_index(const std::string& name) noexcept;

/// The IPv4 addresses that this host has now, sorted, each once. Fails as getifaddrs(3) does.
[[nodiscard]] Result<std::vector<proto::Ipv4Address>> own_ipv4_addresses();

}  // namespace culvert::io
