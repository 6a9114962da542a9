// What a raw socket does not say. Where the NIC or the kernel has coalesced TCP segments (GRO), a
// raw socket gets one large packet with rewritten lengths, only the pseudo-header's sum in the
// checksum field, and no segment size. Here such a packet is found and gets an offload again. Pure
// functions; any thread.
#pragma once

#include <cstdint>

#include "engine/model/inner_packet.h"
#include "io/packet.h"

namespace culvert {

enum class GroRepair : std::uint8_t {
  intact,        ///< an ordinary packet
  repaired,      ///< its offload now says what is to be done
  unrepairable,  ///< larger than the MTU, its checksum wrong, and it cannot be cut without its
                 ///< segment size
};

/// `packet`: an inner packet that a raw socket received, without an offload. A TCP or UDP packet
/// whose checksum field holds the pseudo-header's sum gets needs_checksum; a TCP packet above
/// `mtu_bytes` becomes a super-packet of segments that fit it (the size they came in is not known).
/// What is larger than the MTU and has a valid checksum was sent so and is intact.
[[nodiscard]] GroRepair repair_gro(io::Packet& packet, const InnerPacket& inner,
                                   std::uint16_t mtu_bytes) noexcept;

}  // namespace culvert
