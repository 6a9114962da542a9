// The inbound direction, tunnel to TUN: decides about one packet. No system call, no allocation, no
// lock, no clock. One worker's thread.
#pragma once

#include <cstdint>
#include <span>

#include "engine/drop_reason.h"
#include "engine/flows/flow_pinning.h"
#include "engine/model/packet_meta.h"
#include "engine/tables/tables.h"
#include "engine/tables/tunnel_stats.h"
#include "io/packet.h"
#include "io/sockets.h"

namespace culvert {

/// Decapsulates and checks one packet. `packet`: a received outer packet that begins with its outer
/// header; untrusted. With the verdict to_tun it has become the inner packet or super-packet, and
/// its offload says what TUN must still do; `meta` describes it. `stats`, `flows`: this worker's. `receive`: the kind of
/// the receiving socket. A raw socket delivers super-packets without an offload; they are detected
/// and repaired here. The stages, in order, are in engine/README.md.
[[nodiscard]] Verdict inbound(io::Packet& packet, PacketMeta& meta, const Tables& tables,
                              TunnelStats& stats, FlowPinning& flows,
                              io::ReceiveKind receive) noexcept;

}  // namespace culvert
