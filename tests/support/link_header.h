// Packets with a link-layer header in front, as on an Ethernet device: everything that reads the
// packet behind it must do as it does without it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "io/offload.h"
#include "tests/support/packet_builder.h"

namespace culvert::test {

/// The sizes of an Ethernet header: without and with a VLAN tag (IEEE 802.1Q).
inline constexpr std::size_t kLinkHeaderSizes[] = {14, 18};

/// The packet behind a link-layer header of `link_bytes`, whose bytes `seed` selects.
[[nodiscard]] inline Bytes with_link_header(const Bytes& packet, std::size_t link_bytes,
                                            unsigned seed = 1) {
  Bytes frame = pattern(link_bytes, seed);
  frame.insert(frame.end(), packet.begin(), packet.end());
  return frame;
}

/// The offload of the same packet behind `link_bytes`: its positions count from the frame's start.
[[nodiscard]] inline io::Offload behind_link_header(io::Offload offload, std::size_t link_bytes) {
  const auto by = static_cast<std::uint16_t>(link_bytes);
  if (offload.needs_checksum || offload.is_super_packet())
    offload.checksum_start = static_cast<std::uint16_t>(offload.checksum_start + by);
  if (offload.is_super_packet())
    offload.header_bytes = static_cast<std::uint16_t>(offload.header_bytes + by);
  return offload;
}

}  // namespace culvert::test
