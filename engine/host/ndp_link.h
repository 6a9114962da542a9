// Reads the link, IPv6 addresses and neighbors of an NDP proxy's interface, and watches them for
// changes, by rtnetlink(7). One thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/ndp/ndp_proxy.h"
#include "io/netlink/netlink.h"

namespace culvert::host {

/// The present state of an interface.
struct NdpLinkFound {
  NdpInterface interface;       ///< index 0: the proxy cannot answer on it
  std::string unusable_reason;  ///< like "there is no such interface"; empty: the proxy can answer
};
/// Reads the state of the interface `name`. A missing interface is not an error. Its link-local
/// address is one whose duplicate address detection has succeeded: a tentative or duplicate address
/// must not be the source of an advertisement (RFC 4862 5.4).
[[nodiscard]] Result<NdpLinkFound> find_ndp_link(netlink::Netlink& netlink,
                                                 const std::string& name);

/// Reads the IPv6 neighbors on a link whose link-layer address the kernel knows. Incomplete, failed
/// and proxy entries are left out. Sorted.
[[nodiscard]] Result<std::vector<proto::Ipv6Address>> find_neighbors(netlink::Netlink& netlink,
                                                                     unsigned interface_index);

/// Reports that links and IPv6 addresses, or neighbors, have changed. It does not report the change
/// itself: the caller reads the present state again.
class NdpWatch {
 public:
  enum class Kind : std::uint8_t { links, neighbors };
  /// `kind`: `links` for links and their IPv6 addresses, `neighbors` for neighbors.
  [[nodiscard]] static Result<NdpWatch> open(Kind kind);

  /// The descriptor is readable after a change.
  [[nodiscard]] int fd() const noexcept;
  /// Discards the events received so far. Does not block.
  void drain() noexcept;

 private:
  explicit NdpWatch(netlink::NlSocket socket) : socket_(std::move(socket)) {}
  netlink::NlSocket socket_;
};

}  // namespace culvert::host
