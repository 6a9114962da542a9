// One super-packet to many packets: what a NIC would do for TSO4, TSO6 and USO. The payload is not
// copied: a segment is a header block and a slice. And the checksum that a packet from TUN still
// wants. Pure but for the super-packet's cursor; one worker's thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "io/packet.h"

namespace culvert {

/// The inner headers of a super-packet that can be cut: at most this long. (IPv6 40, TCP 60, and
/// room for extension headers.)
inline constexpr std::size_t kMaxInnerHeaderBytes = 192;

/// Cuts a super-packet. The super-packet stays as it is and must outlive the Segmenter.
class Segmenter {
 public:
  /// Checks the offload against the packet's own headers (never trusting header_bytes): IP version
  /// and protocol fit the kind of segmentation, headers within the packet and kMaxInnerHeaderBytes,
  /// segment size not 0, no IPv4 fragment. Nothing: it makes no sense.
  [[nodiscard]] static std::optional<Segmenter> start(const io::Packet& super_packet) noexcept;

  [[nodiscard]] std::size_t header_bytes() const noexcept { return header_bytes_; }
  [[nodiscard]] std::size_t segment_count() const noexcept { return segment_count_; }
  /// The largest packet that comes out, headers included.
  [[nodiscard]] std::size_t largest_packet_bytes() const noexcept;

  /// Writes the headers of the next segment into `headers` (header_bytes() long): lengths, IPv4
  /// identification (RFC 6864: one more each) and checksum, TCP sequence, flags (FIN and PSH only
  /// on the last, CWR only on the first: RFC 3168 6.1.2), TCP or UDP checksum. Returns its slice of
  /// the payload. Called segment_count() times.
  std::span<const std::byte> next(std::span<std::byte> headers) noexcept;

 private:
  Segmenter() = default;
  std::span<const std::byte> packet_;
  std::size_t header_bytes_ = 0;
  std::size_t segment_count_ = 0;
  // The implementation adds what it needs.
};

/// How many packets a packet stands for: 1, or the segments of a super-packet as its offload says.
/// Never 0. Cheap, for counting: it trusts the offload's segment size and only bounds it by the
/// packet.
[[nodiscard]] std::uint32_t packet_count(const io::Packet& packet) noexcept;

/// Finishes the transport checksum of a packet whose field holds the pseudo-header's sum
/// (offload.needs_checksum) and clears the need. False: the positions lie outside the packet.
[[nodiscard]] bool complete_checksum(io::Packet& packet) noexcept;

}  // namespace culvert
