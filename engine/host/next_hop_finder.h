// The next hop of a tunnel's outer packets, as the kernel has it: route, neighbor, link. And what
// of the kernel's output path a packet socket would pass by. All by netlink; one thread.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "io/netlink/netlink.h"
#include "io/next_hop.h"

namespace culvert::host {

/// A neighbor by its interface and address: what an event is about.
struct NeighborKey {
  unsigned device_index = 0;
  proto::Ipv4Address address;
  friend auto operator<=>(const NeighborKey&, const NeighborKey&) = default;
};

struct NextHopFound {
  io::NextHop hop;                      ///< nothing, if packets must go by the kernel's route
  std::string reason;                   ///< where it leads, or why there is none
  std::optional<NeighborKey> neighbor;  ///< a change of which changes the answer
};

/// Finds the next hops of one pass over many tunnels: what several of them share is asked once. It
/// answers from one moment, so it lives no longer than the pass.
class NextHopFinder {
 public:
  /// `netlink` outlives it.
  explicit NextHopFinder(netlink::Netlink& netlink) : netlink_(netlink) {}

  /// The next hop to `remote`, for packets from `local` (nothing: any), by the interface
  /// `device_index` (0: any). There is one if the route is a plain unicast route by an Ethernet
  /// interface that is up, and the neighbor's link-layer address is known. Asks the kernel to
  /// confirm a neighbor that it has not heard of lately (RFC 4861 7.3.3's states, ARP's as well):
  /// frames that we send ourselves do not remind it.
  [[nodiscard]] Result<NextHopFound> find(proto::Ipv4Address remote,
                                          std::optional<proto::Ipv4Address> local,
                                          unsigned device_index);
  /// Where packets to a neighbor would go: nothing if it is not resolved. As in find().
  [[nodiscard]] std::optional<io::EthernetAddress> find_neighbor(const NeighborKey& key);

 private:
  struct Link {
    std::optional<io::EthernetAddress> own;  ///< nothing: packet sockets cannot send by it
    std::string reason;                      ///< why
  };
  using Asked = std::tuple<proto::Ipv4Address, std::optional<proto::Ipv4Address>, unsigned>;
  [[nodiscard]] const Link& find_link(unsigned index);
  [[nodiscard]] Result<NextHopFound> look_up(const Asked& asked);

  netlink::Netlink& netlink_;
  std::map<unsigned, Link> links_;
  std::map<NeighborKey, std::optional<io::EthernetAddress>> neighbors_;
  std::map<Asked, Result<NextHopFound>> found_;
};

/// Tells which neighbors have changed.
class NeighborWatch {
 public:
  [[nodiscard]] static Result<NeighborWatch> open();
  [[nodiscard]] int fd() const noexcept;
  /// The IPv4 neighbors that have changed since the last call, as far as one look takes: fd() stays
  /// readable if there are more. Nothing: some were missed, so that any may have.
  [[nodiscard]] std::optional<std::vector<NeighborKey>> changed();

 private:
  explicit NeighborWatch(netlink::NlSocket socket) : socket_(std::move(socket)) {}
  netlink::NlSocket socket_;
  bool has_missed_some_ = false;
};

}  // namespace culvert::host
