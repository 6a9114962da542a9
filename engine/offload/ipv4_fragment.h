// IPv4 fragmentation (RFC 791 3.2), of outer packets of a tunnel with a static MTU and of inner
// packets with DF clear that do not fit. The payload is not copied. Pure functions; one worker's
// thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "proto/ipv4.h"

namespace culvert {

/// The number of fragments of a packet with a header of 20 bytes. All but the last carry a multiple
/// of eight bytes (RFC 791 3.2). `mtu_bytes`: at least 28.
[[nodiscard]] constexpr std::size_t count_fragments(std::size_t packet_bytes,
                                                    std::size_t mtu_bytes) noexcept {
  if (packet_bytes <= mtu_bytes) return 1;
  const std::size_t last_bytes = mtu_bytes - proto::kIpv4HeaderBytes;  // of the last one, at most
  const std::size_t each_bytes = last_bytes / 8 * 8;
  return (packet_bytes - mtu_bytes + each_bytes - 1) / each_bytes + 1;
}

/// The fragments of one IPv4 packet, given as its header and a payload of one or two parts (as in
/// io::Datagram).
class Ipv4Fragmenter {
 public:
  struct Piece {
    std::size_t header_bytes = 0;        ///< bytes written at the start of `header`
    std::span<const std::byte> payload;  ///< first part of the fragment's payload
    /// Second part; empty unless the fragment spans both parts of the packet.
    std::span<const std::byte> payload2;
  };

  /// `header`: a complete, valid IPv4 header; it may have options and may be that of a fragment.
  /// `mtu_bytes`: at least 68. The identification must be set: all fragments carry it.
  Ipv4Fragmenter(std::span<const std::byte> header, std::span<const std::byte> payload,
                 std::span<const std::byte> payload2, std::uint16_t mtu_bytes) noexcept;

  /// Writes the next fragment's header (at most 60 bytes, checksum included) into `header` and
  /// returns its payload. nullopt: all fragments are done, or the rest lies beyond the 65,535 bytes
  /// of a datagram (RFC 791 3.1; only a malformed fragment reaches that). The payload of every
  /// fragment except the last is a multiple of 8 bytes.
  [[nodiscard]] std::optional<Piece> next(std::span<std::byte, 60> header) noexcept;

 private:
  proto::Ipv4Packet original_;
  std::span<const std::byte> payload_;
  std::span<const std::byte> payload2_;
  std::uint16_t mtu_bytes_;
  std::size_t done_bytes_ = 0;
  bool is_done_ = false;
};

}  // namespace culvert
