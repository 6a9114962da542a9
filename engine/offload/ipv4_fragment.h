// Cuts an IPv4 packet into fragments (RFC 791 3.2): outer packets of a tunnel with a static MTU,
// and inner packets with DF clear that do not fit. The payload is not copied. Pure functions; one
// worker's thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "proto/ipv4.h"

namespace culvert {

/// Cuts one IPv4 packet, given as its header and its payload in up to two pieces (as a Datagram has
/// them).
class Ipv4Fragmenter {
 public:
  struct Piece {
    std::size_t header_bytes = 0;         ///< written at the start of `header`
    std::span<const std::byte> payload;   ///< first piece of the payload
    std::span<const std::byte> payload2;  ///< second piece; empty unless the fragment spans both
  };

  /// `header`: a whole, valid IPv4 header (options allowed; it may itself be of a fragment).
  /// `mtu_bytes` at least 68. The identification must be set: fragments carry it.
  Ipv4Fragmenter(std::span<const std::byte> header, std::span<const std::byte> payload,
                 std::span<const std::byte> payload2, std::uint16_t mtu_bytes) noexcept;

  /// Writes the next fragment's header (at most 60 bytes, checksum included) and returns its
  /// payload. Nothing: all are done, or the rest lies beyond 65,535 bytes of a datagram (RFC 791
  /// 3.1; only a malformed fragment does). No fragment but the last has a payload that is not a
  /// multiple of 8.
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
