// Repair of super-packets from raw sockets. If the NIC or the kernel has joined TCP segments (GRO),
// a raw socket delivers one large packet with rewritten lengths, only the pseudo-header's sum in
// the checksum field, and no segment size. These functions detect such a packet and restore its
// offload. Pure functions; any thread.
#pragma once

#include <cstdint>

#include "engine/model/packet_meta.h"
#include "io/packet.h"

namespace culvert {

enum class GroRepair : std::uint8_t {
  intact,    ///< an ordinary packet
  repaired,  ///< its offload is restored
  /// Larger than the MTU with a wrong checksum, and without a segment size it cannot be segmented.
  unrepairable,
};

/// `packet`: an inner packet that a raw socket received, without an offload. A TCP or UDP packet
/// whose checksum field holds the pseudo-header's sum gets needs_checksum. A TCP packet larger than
/// `mtu_bytes` becomes a super-packet whose segments fit the MTU; the original segment size is not
/// known. A packet larger than the MTU with a valid checksum was sent like that and is intact.
[[nodiscard]] GroRepair repair_gro(io::Packet& packet, const PacketMeta& meta,
                                   std::uint16_t mtu_bytes) noexcept;

}  // namespace culvert
