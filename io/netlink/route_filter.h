// A filter for events of routes in the kernel: thousands of changes a second of routes that concern
// nobody here cost this process nothing. One thread.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "io/netlink/netlink.h"

namespace culvert::netlink {

/// The routes of which a socket receives the events.
struct RouteInterests {
  /// Routes to prefixes that overlap with one of these: routes to the prefix, a part of it, or more.
  /// Of IPv6 prefixes the first 64 bits count.
  std::vector<proto::Ipv4Prefix> prefixes4;
  std::vector<proto::Ipv6Prefix> prefixes6;
  std::vector<unsigned> interfaces;  ///< routes by these
};

/// Lets the kernel queue only the events of routes (RTM_NEWROUTE, RTM_DELROUTE) that concern
/// `interests`; IPv4 default routes and routes with several next hops always do. Other events come as
/// before. `family`: AF_INET or AF_INET6, that of the routes of which the socket has events. With more
/// prefixes than a filter can hold they are shortened, and more events come.
void filter_routes(nl_sock* socket, int family, const RouteInterests& interests);

}  // namespace culvert::netlink
