// The route of an outbound packet: its tunnel, selected by the flow's pin or else by the tables
// (TunnelSelector), and the outer endpoints. One worker's thread.
#pragma once

#include <cstdint>
#include <span>

#include "engine/flows/flow_pinning.h"
#include "engine/forward/outbound.h"
#include "engine/tables/tables.h"
#include "io/next_hop.h"
#include "io/packet.h"

namespace culvert {

struct OutboundRoute {
  const Tunnel* tunnel = nullptr;  ///< null: no tunnel's prefix contains the destination
  bool is_up = false;
  /// The tables selected the tunnel, because the flow had no pin, or a pin to a tunnel that is
  /// gone or down.
  bool is_placed = false;
  FlowPin pin{};  ///< pin to this tunnel
};
/// Selects the tunnel and counts the packet in its flow. `classified`: the same packet, with an IP header.
[[nodiscard]] OutboundRoute select_tunnel(const io::Packet& packet,
                                          const OutboundPacket& classified, const Tables& tables,
                                          FlowPinning& flows) noexcept;

/// The endpoints of an outer packet: those of the tunnel, and where its configuration leaves them
/// open those of the flow's pin.
struct OuterEndpoints {
  proto::Ipv4Address local;   ///< 0.0.0.0: unknown
  proto::Ipv4Address remote;  ///< 0.0.0.0: `remote any`, and the flow has no inbound packet
  io::NextHop next_hop{};     ///< empty: raw sockets send along the kernel's route
  /// Interface by which it leaves; 0: that of the kernel's route.
  std::uint32_t interface_index = 0;
};
/// `own`: addresses of this host. A pinned local address that the host no longer has is ignored.
[[nodiscard]] OuterEndpoints outer_endpoints(const OutboundRoute& route,
                                             const OwnAddresses& own) noexcept;

}  // namespace culvert
