// Reads the link, IPv6 addresses and neighbors of an NDP proxy's interface, and watches them for
// changes, by rtnetlink(7). One thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/ndp/ndp_proxy.h"
#include "io/netlink/netlink.h"

struct nlmsghdr;

namespace culvert::host {

/// The present state of an interface.
struct NdpLinkFound {
  NdpInterface interface;       ///< index 0: the proxy cannot answer on it
  std::string unusable_reason;  ///< like "there is no such interface"; empty: the proxy can answer
};
/// Reads the state of the interface `name`. A missing interface is not an error. Its link-local
/// address is one whose duplicate address detection has succeeded: a tentative or duplicate address
/// must not be the source of an advertisement (RFC 4862 5.4). An interface without one answers from
/// another of its addresses. EINTR: others changed addresses all the while, so read again later.
[[nodiscard]] Result<NdpLinkFound> find_ndp_link(netlink::Netlink& netlink,
                                                 const std::string& name);

/// Reads the IPv6 neighbors on a link whose link-layer address the kernel knows. Incomplete, failed
/// and proxy entries are left out. Sorted. The kernel sends those of this link alone.
[[nodiscard]] Result<std::vector<NdpNeighbor>> find_neighbors(netlink::Netlink& netlink,
                                                              unsigned interface_index);

/// What an NDP proxy wants to know of.
struct NdpInterest {
  unsigned interface_index = 0;
  std::vector<NdpRule> rules;

  friend bool operator==(const NdpInterest&, const NdpInterest&) = default;
};

/// Reports that links and IPv6 addresses, neighbors, or routes have changed. It does not report the
/// change itself: the caller reads the present state again.
class NdpWatch {
 public:
  enum class Kind : std::uint8_t {
    links,      ///< links and their IPv6 addresses
    neighbors,  ///< IPv6 neighbors
    routes,     ///< IPv6 routes
  };
  [[nodiscard]] static Result<NdpWatch> open(Kind kind);

  /// The kernel queues no event of neighbors on other interfaces, and few of routes that do not concern
  /// an interest. Without it: of none. Read the present state after it: earlier events may be lost.
  void set_interests(std::vector<NdpInterest> interests);

  /// The descriptor is readable after a change.
  [[nodiscard]] int fd() const noexcept;
  /// Discards the events received so far. Returns whether one may concern an interest: a route with
  /// a gateway on its interface, or one that overlaps with a rule; lost events always do. Does not
  /// block.
  [[nodiscard]] bool drain();

 private:
  NdpWatch(Kind kind, netlink::NlSocket socket) : kind_(kind), socket_(std::move(socket)) {}
  void watch_routes(std::vector<unsigned> indexes);
  [[nodiscard]] bool concerns(nlmsghdr* message) const;

  Kind kind_;
  netlink::NlSocket socket_;
  std::vector<NdpInterest> interests_;
};

}  // namespace culvert::host
