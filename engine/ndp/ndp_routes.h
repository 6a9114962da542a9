// NdpRoutes: the kernel's routing decision for a target, as a seam. NdpRules combines it with the
// tunnels' prefixes. host::KernelRoutes implements it by netlink.
#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

#include "proto/address.h"

namespace culvert {

/// The route by which this host would forward a packet.
struct NdpRoute {
  enum class Kind : std::uint8_t {
    none,     ///< no route, or one that refuses packets (unreachable, blackhole, prohibit)
    local,    ///< an address of this host
    unicast,  ///< by `interface_index`
  };
  Kind kind = Kind::none;
  std::uint8_t length_bits = 0;  ///< prefix length of the route; 0: a default route
  /// The output interface. Of several next hops the first one that does not lead back to the
  /// interface that asks, if there is one.
  unsigned interface_index = 0;
  bool has_gateway = false;  ///< the next hop there is a router, not the target
};

class NdpRoutes {
 public:
  virtual ~NdpRoutes() = default;
  /// Looks up the route of a packet to `target` that arrives by the interface `asking_index`, in all
  /// tables that policy rules select. One thread; no allocation that can fail.
  [[nodiscard]] virtual NdpRoute find(const proto::Ipv6Address& target,
                                      unsigned asking_index) noexcept = 0;

  /// Adds a route to one host by an interface, or renews its lifetime, after which the kernel removes
  /// it. `is_new`: not a renewal. Never replaces a route; one to the same host by the same interface
  /// is as good. False: the kernel refuses it, or has a route to that host by another interface.
  [[nodiscard]] virtual bool add_host_route(const proto::Ipv6Address& target,
                                            unsigned interface_index, std::chrono::seconds lifetime,
                                            bool is_new) noexcept = 0;
  /// Removes a route that add_host_route() has added. A missing one is not an error.
  virtual void remove_host_route(const proto::Ipv6Address& target,
                                 unsigned interface_index) noexcept = 0;
};

/// What the owner has read from the kernel's routing tables.
struct NdpKernelRoutes {
  /// Prefixes that lead to another interface than the one that asks: not to a tunnel's device, and
  /// without default routes. For the groups to join and for announcements, never for an answer.
  std::vector<proto::Ipv6Prefix> prefixes;
  /// Routers on the link that this host itself uses: never answered for. Sorted.
  std::vector<proto::Ipv6Address> gateways;

  friend bool operator==(const NdpKernelRoutes&, const NdpKernelRoutes&) = default;
};

}  // namespace culvert
