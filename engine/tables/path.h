// Updates of a Path: the kernel's route to the remote endpoint, and the path MTU learned
// from ICMP errors. Route refresh and error handling call these functions; never the hot path.
#pragma once

#include <cstdint>

#include "engine/tables/tunnel.h"
#include "io/route_lookup.h"

namespace culvert {

/// Looks up the route again and updates the local address (if it is `any`), the route MTU and the
/// interface index of `dev`. Drops a learned path MTU that has expired. Without a route, a
/// configured local address stays, and `local any` becomes 0.0.0.0. A tunnel with `remote any` has
/// no route. Unchanged values are not written. Returns whether the local address or the route MTU has
/// changed.
bool refresh_path(const TunnelConfig& config, Path& path, io::RouteLookup& lookup,
                  Time now) noexcept;

/// Stores a path MTU (bytes, outer header included) from an ICMPv4 error for ten minutes. RFC 1191
/// 6.3.
void learn_path_mtu(const Tunnel& tunnel, std::uint16_t mtu_bytes, Time now) noexcept;

}  // namespace culvert
