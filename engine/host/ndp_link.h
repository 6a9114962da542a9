// What the kernel says of the interface on which an NDP proxy answers: link, IPv6 addresses and
// neighbors, and when they change (rtnetlink(7)). One thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/ndp/ndp_proxy.h"
#include "io/netlink/netlink.h"

namespace culvert::host {

/// An interface as it is now.
struct NdpLinkFound {
  NdpInterface interface;  ///< index 0: it cannot be answered on
  std::string why_not;     ///< then: "there is no such interface"; as the end of a sentence
};
/// Addresses whose duplicate address detection goes on or has failed are not the interface's yet:
/// neither is advertised from (RFC 4862 5.4).
[[nodiscard]] Result<NdpLinkFound> find_ndp_link(netlink::Netlink& netlink,
                                                 const std::string& name);

/// The IPv6 neighbors on that link of which the kernel has heard: neither incomplete nor failed,
/// and no proxy entries.
[[nodiscard]] Result<std::vector<proto::Ipv6Address>> find_on_link(netlink::Netlink& netlink,
                                                                   unsigned interface_index);

/// Tells what kind of thing has changed, but not how: who waits asks again.
class NdpWatch {
 public:
  enum class Kind : std::uint8_t { links, neighbors };
  /// Links and their IPv6 addresses; or neighbors.
  [[nodiscard]] static Result<NdpWatch> open(Kind kind);

  /// Readable: something has changed.
  [[nodiscard]] int fd() const noexcept;
  /// Forgets what was reported so far.
  void drain() noexcept;

 private:
  explicit NdpWatch(netlink::NlSocket socket) : socket_(std::move(socket)) {}
  netlink::NlSocket socket_;
};

}  // namespace culvert::host
