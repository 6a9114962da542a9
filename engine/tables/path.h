// Keeping a tunnel's Path: the route to the remote endpoint as the kernel sees it, and what ICMP
// errors have taught. House-keeping: never on a packet's way.
#pragma once

#include <cstdint>

#include "engine/tables/tunnel.h"
#include "io/route_lookup.h"

namespace culvert {

/// Looks up the route again: local address (if it is `any`), route MTU, the interface of `dev`;
/// forgets a path MTU that has been learned too long ago. Without a route a fixed local address
/// stays, and `any` has none. To `remote any` there is no route. What has not changed is not
/// written.
void refresh_path(const TunnelConfig& config, Path& path, io::RouteLookup& probe,
                  Time now) noexcept;

/// Takes the path MTU that an ICMPv4 error has told. RFC 1191 6.3: kept for ten minutes.
void learn_path_mtu(const Tunnel& tunnel, std::uint16_t mtu_bytes, Time now) noexcept;

}  // namespace culvert
