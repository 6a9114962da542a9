// Where an outbound packet goes: which tunnel, by its flow's pin or else by its route, and the
// outer ends that follow. One worker's thread.
#pragma once

#include <cstdint>
#include <span>

#include "engine/flows/flow_pinning.h"
#include "engine/tables/tables.h"
#include "io/next_hop.h"
#include "io/packet.h"

namespace culvert {

struct OutboundRoute {
  const Tunnel* tunnel = nullptr;  ///< null: no tunnel has a prefix for it
  bool is_up = false;
  bool is_placed = false;  ///< by its route: its flow had no pin, or one to a tunnel that is gone
                           ///< or down
  FlowPin pin{};           ///< to that tunnel
};
/// `ahead`: of `packet`, parsed. Its flow counts the packet.
[[nodiscard]] OutboundRoute select_tunnel(const io::Packet& packet, const OutboundPacket& ahead,
                                          const Tables& tables, FlowPinning& flows) noexcept;

/// Of an outer packet: what is the tunnel's, and what its configuration leaves open as the flow's
/// pin says.
struct OuterEndpoints {
  proto::Ipv4Address local;           ///< 0.0.0.0: none is known
  proto::Ipv4Address remote;          ///< 0.0.0.0: `remote any`, and no flow has come from anywhere
  io::NextHop next_hop{};             ///< nothing: by the kernel's route
  std::uint32_t interface_index = 0;  ///< by which it leaves; 0: as the kernel's route says
};
/// `own`: addresses of this host; a pin to one that is gone does not hold.
[[nodiscard]] OuterEndpoints outer_endpoints(const OutboundRoute& route,
                                             const OwnAddresses& own) noexcept;

}  // namespace culvert
