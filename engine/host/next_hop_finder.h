// NextHopFinder: finds the next hop of a tunnel's outer packets in the kernel's routes, links and
// neighbors. NeighborWatch reports changes of neighbors. Both use netlink; one thread.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "io/netlink/netlink.h"
#include "io/next_hop.h"

namespace culvert::host {

/// The key of an IPv4 neighbor.
struct NeighborKey {
  unsigned device_index = 0;
  proto::Ipv4Address address;
  friend auto operator<=>(const NeighborKey&, const NeighborKey&) = default;
};

struct NextHopFound {
  io::NextHop hop;                      ///< empty: packets must take the kernel's route
  std::string reason;                   ///< the next hop in words, or why there is none
  std::optional<NeighborKey> neighbor;  ///< if this neighbor changes, look up the next hop again
};

/// Finds the next hops of many tunnels. It caches the kernel's answers, because tunnels share most
/// look-ups: use one finder for one pass over the tunnels.
class NextHopFinder {
 public:
  /// `netlink` outlives this object.
  explicit NextHopFinder(netlink::Netlink& netlink) : netlink_(netlink) {}

  /// Finds the next hop to `remote`, for packets from `local` (nullopt: any), by the interface
  /// `device_index` (0: any). There is one if the route is a plain unicast route by an Ethernet
  /// interface that is up, and the neighbor's link-layer address is known. If the neighbor is stale
  /// or not resolved, the kernel is asked to resolve or confirm it (the states of RFC 4861 7.3.3;
  /// Linux uses them for ARP as well), because the frames of packet sockets do not trigger that.
  /// Fails if the kernel does not answer.
  [[nodiscard]] Result<NextHopFound> find(proto::Ipv4Address remote,
                                          std::optional<proto::Ipv4Address> local,
                                          unsigned device_index);
  /// The link-layer address of a neighbor; nullopt: it is not resolved. Asks the kernel to resolve
  /// or confirm it, as find() does.
  [[nodiscard]] std::optional<io::EthernetAddress> find_neighbor(const NeighborKey& key);

 private:
  struct Link {
    std::optional<io::EthernetAddress> address;  ///< nullopt: packet sockets cannot send by it
    std::string reason;                          ///< why there is no address
  };
  using Query = std::tuple<proto::Ipv4Address, std::optional<proto::Ipv4Address>, unsigned>;
  [[nodiscard]] const Link& find_link(unsigned index);
  [[nodiscard]] Result<NextHopFound> look_up(const Query& query);

  netlink::Netlink& netlink_;
  std::map<unsigned, Link> links_;
  std::map<NeighborKey, std::optional<io::EthernetAddress>> neighbors_;
  std::map<Query, Result<NextHopFound>> found_;
};

/// Reports which IPv4 neighbors have changed. Until set_interfaces() is called: on any interface.
class NeighborWatch {
 public:
  [[nodiscard]] static Result<NeighborWatch> open();
  /// Watches the neighbors on these interfaces alone: the kernel queues no event of others.
  void set_interfaces(const std::vector<unsigned>& indexes);
  /// The descriptor is readable after a change.
  [[nodiscard]] int fd() const noexcept;
  /// The neighbors that have changed since the last call. One call reads a bounded number of
  /// events; fd() stays readable if there are more. nullopt: events were lost, so any neighbor may
  /// have changed. Does not block.
  [[nodiscard]] std::optional<std::vector<NeighborKey>> changed();

 private:
  explicit NeighborWatch(netlink::NlSocket socket) : socket_(std::move(socket)) {}
  netlink::NlSocket socket_;
  bool has_lost_events_ = false;
};

}  // namespace culvert::host
