// The inbound direction, tunnel to TUN: decides about one packet. No system call, no allocation, no
// lock, no clock. One worker's thread. The stages of a packet:
//
//  1. outer header, not a fragment: parse_ipv4()
//  2. encapsulation header: decapsulate()
//  3. tunnel: TunnelTable::find()
//  4. the tunnel is up, and the fields that it requires are there
//  5. classify the inner packet and trim its padding: classify()
//  6. GRO packet of a raw socket: repair_gro()
//  7. inner source and destination: is_permitted_source(), accepts_source()
//  8. ECN: combine_ecn()
//  9. MSS: clamp_to_mtu()
// 10. pin the flow: FlowPinning::pin_inbound()
// 11. join to a super-packet: Gro, in which the worker collects the round's packets
//
// engine/README.md names the drop reasons of each stage.
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
/// and repaired here.
[[nodiscard]] Verdict inbound(io::Packet& packet, PacketMeta& meta, const Tables& tables,
                              TunnelStats& stats, FlowPinning& flows,
                              io::ReceiveKind receive) noexcept;

}  // namespace culvert
