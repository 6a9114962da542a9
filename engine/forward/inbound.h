// Tunnel to TUN: a packet and tables go in, a Verdict comes out. No system call, no allocation, no
// lock, no clock.
#pragma once

#include <cstdint>
#include <span>

#include "engine/drop_reason.h"
#include "engine/flows/flow_pinning.h"
#include "engine/tables/tables.h"
#include "engine/tables/tunnel_stats.h"
#include "io/packet.h"
#include "io/sockets.h"

namespace culvert {

/// The inbound way. `packet`: from the tunnel, from its outer header on; with the verdict to_tun it
/// has become the inner packet, or super-packet, and its offload says what is still to be done to
/// it. `stats`, `flows`: this worker's. `receive`: how it was received; a raw socket gives
/// super-packets without a word, which are found and repaired here.
[[nodiscard]] Verdict inbound(io::Packet& packet, const Tables& tables, TunnelStats& stats,
                              FlowPinning& flows, io::ReceiveKind receive) noexcept;

}  // namespace culvert
