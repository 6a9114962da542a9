// Routes that bench makes (rtnetlink, by libnl-3). One thread.
#pragma once

#include <string>

#include "io/result.h"
#include "proto/address.h"

namespace culvert::bench {

/// A route of the calling thread's namespace, by a device to a router on it. A device without
/// neighbors, as a TUN is, takes any address for its router: all destinations are then one neighbor
/// for the kernel, which otherwise has a neighbor for each IPv6 address (and thresholds for them,
/// net.ipv6.neigh.default.gc_thresh3).
[[nodiscard]] Result<void> add_route(const proto::Ipv6Prefix& to, const std::string& device,
                                     const proto::Ipv6Address& router);
[[nodiscard]] Result<void> add_route(const proto::Ipv4Prefix& to, const std::string& device,
                                     proto::Ipv4Address router);
/// Every address of a prefix becomes one of the calling thread's namespace.
[[nodiscard]] Result<void> make_local(const proto::Ipv6Prefix& prefix);
[[nodiscard]] Result<void> make_local(const proto::Ipv4Prefix& prefix);

}  // namespace culvert::bench
