// Creates routes (rtnetlink, with libnl-3). One thread.
#pragma once

#include <string>

#include "io/result.h"
#include "proto/address.h"

namespace culvert::bench {

/// Adds a route by a device to a router on it, in the calling thread's namespace. On a device
/// without neighbors, such as TUN, any address can be the router. Then all destinations are one
/// neighbor for the kernel; otherwise it creates a neighbor for each IPv6 address, up to a limit
/// (net.ipv6.neigh.default.gc_thresh3).
[[nodiscard]] Result<void> add_route(const proto::Ipv6Prefix& to, const std::string& device,
                                     const proto::Ipv6Address& router);
[[nodiscard]] Result<void> add_route(const proto::Ipv4Prefix& to, const std::string& device,
                                     proto::Ipv4Address router);
/// Makes every address of a prefix local in the calling thread's namespace.
[[nodiscard]] Result<void> make_local(const proto::Ipv6Prefix& prefix);
[[nodiscard]] Result<void> make_local(const proto::Ipv4Prefix& prefix);

}  // namespace culvert::bench
