// One super-packet to many packets: what a NIC would do for TSO4, TSO6 and USO. The payload is not
// copied: a segment is a header block and a slice. And the checksum that a packet from TUN still
// wants. Pure but for the super-packet's cursor; one worker's thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "io/packet.h"
#include "proto/checksum.h"

namespace culvert {

/// The inner headers of a super-packet that can be cut: at most this long. (IPv6 40, TCP 60, and
/// room for extension headers.)
inline constexpr std::size_t kMaxInnerHeaderBytes = 192;

/// Cuts a super-packet. The super-packet stays as it is and must outlive the Gso.
class Gso {
 public:
  /// Checks the offload against the packet's own headers (never trusting header_bytes): IP version
  /// and protocol fit the kind of segmentation, headers within the packet and kMaxInnerHeaderBytes,
  /// segment size not 0, no fragment, checksum still wanted where the transport header is, lengths
  /// as the IP header says. Nothing: it makes no sense.
  [[nodiscard]] static std::optional<Gso> start(const io::Packet& super_packet) noexcept;

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
  Gso() = default;
  void sum_headers() noexcept;
  void write_ip_header(std::span<std::byte> headers, std::size_t packet_bytes) noexcept;
  void write_tcp_header(std::span<std::byte> header, std::span<const std::byte> payload, bool first,
                        bool last) noexcept;
  void write_udp_header(std::span<std::byte> header, std::span<const std::byte> payload) noexcept;

  std::span<const std::byte> packet_;
  std::size_t header_bytes_ = 0;
  std::size_t segment_count_ = 0;
  std::size_t segment_bytes_ = 0;
  std::size_t transport_offset_ = 0;
  std::size_t done_bytes_ = 0;  ///< of the payload
  bool is_ipv4_ = false;
  bool is_tcp_ = false;
  // What the next segment gets, and the sums of all header words that no segment changes.
  std::uint16_t identification_ = 0;
  std::uint32_t sequence_ = 0;
  proto::ChecksumSum ip_sum_;
  proto::ChecksumSum transport_sum_;
};

/// How many packets a packet stands for: 1, or the segments of a super-packet as its offload says.
/// Never 0. Cheap, for counting: it trusts the offload's segment size and only bounds it by the
/// packet. The same before and after a header in front of the packet is removed, and the same as
/// Gso::segment_count().
[[nodiscard]] std::uint32_t packet_count(const io::Packet& packet) noexcept;

/// The bytes of these packets together, the headers of each counted.
[[nodiscard]] std::uint32_t packet_bytes(const io::Packet& packet) noexcept;

/// Finishes the transport checksum of a packet whose field holds the pseudo-header's sum
/// (offload.needs_checksum) and clears the need. False: the positions lie outside the packet.
[[nodiscard]] bool complete_checksum(io::Packet& packet) noexcept;

}  // namespace culvert
