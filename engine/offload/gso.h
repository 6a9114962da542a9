// Generic segmentation offload (GSO): splits a super-packet into its packets, as a NIC does for
// TSO4, TSO6 and USO. A *super-packet* is a GSO or GRO packet of up to 64 KiB that stands for
// several packets of one flow: it has their common headers once, their payloads one after the
// other, and the segment size in its offload. The payload is not copied: each segment is a header
// block and a slice of the payload.
//
// Also completes the transport checksum that TUN leaves unfinished. Pure functions, except for the
// position within the super-packet; one worker's thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "engine/model/packet_meta.h"
#include "io/packet.h"
#include "proto/checksum.h"

namespace culvert {

/// The largest headers of a super-packet that can be segmented (IPv6 40, TCP 60, and room for a
/// link-layer header and extension headers).
inline constexpr std::size_t kMaxInnerHeaderBytes = 192;

/// The segments of one super-packet. The super-packet is not changed and must outlive the Gso.
class Gso {
 public:
  /// Checks the offload against the packet's own headers, which `meta` describes; the offload's
  /// header_bytes is never trusted. IP version
  /// and protocol must match the kind of segmentation; the headers must lie within the packet and
  /// kMaxInnerHeaderBytes; the segment size must not be 0; the packet must not be a fragment; the
  /// checksum must be unfinished and at the transport header; lengths must be as the IP header
  /// says. nullopt: the offload is invalid.
  [[nodiscard]] static std::optional<Gso> start(std::span<const std::byte> super_packet,
                                                const io::Offload& offload,
                                                const PacketMeta& meta) noexcept;
  [[nodiscard]] static std::optional<Gso> start(const io::Packet& super_packet,
                                                const PacketMeta& meta) noexcept {
    return start(super_packet.bytes(), super_packet.offload, meta);
  }

  [[nodiscard]] std::size_t header_bytes() const noexcept { return header_bytes_; }
  [[nodiscard]] std::size_t segment_count() const noexcept { return segment_count_; }
  /// Size in bytes of the largest segment, headers included. A packet counts from the IP header on,
  /// as PacketMeta::size_bytes does; a frame has the link-layer header in front of it.
  [[nodiscard]] std::size_t largest_packet_bytes() const noexcept {
    return largest_frame_bytes() - ip_offset_;
  }
  [[nodiscard]] std::size_t largest_frame_bytes() const noexcept;

  /// Writes the headers of the next segment into `headers` (header_bytes() long): the link-layer
  /// header unchanged, lengths, IPv4
  /// identification (incremented per segment, RFC 6864) and header checksum, TCP sequence, TCP
  /// flags (FIN and PSH only in the last segment, CWR only in the first: RFC 3168 6.1.2), TCP or
  /// UDP checksum. Returns the segment's slice of the payload. Called segment_count() times.
  std::span<const std::byte> next(std::span<std::byte> headers) noexcept;

 private:
  Gso() = default;
  void sum_headers() noexcept;
  void write_ip_header(std::span<std::byte> header, std::size_t packet_bytes) noexcept;
  void write_tcp_header(std::span<std::byte> header, std::span<const std::byte> payload, bool first,
                        bool last) noexcept;
  void write_udp_header(std::span<std::byte> header, std::span<const std::byte> payload) noexcept;

  std::span<const std::byte> packet_;
  std::size_t header_bytes_ = 0;
  std::size_t segment_count_ = 0;
  std::size_t segment_bytes_ = 0;
  std::size_t ip_offset_ = 0;
  std::size_t transport_offset_ = 0;
  std::size_t done_bytes_ = 0;  ///< payload bytes of the segments returned so far
  bool is_ipv4_ = false;
  bool is_tcp_ = false;
  // The fields of the next segment, and the sums of all header words that are the same in each
  // segment.
  std::uint16_t identification_ = 0;
  std::uint32_t sequence_ = 0;
  proto::ChecksumSum ip_sum_;
  proto::ChecksumSum transport_sum_;
};

/// Returns the number of packets that a packet stands for: 1, or the segments of a super-packet
/// according to its offload. Never 0. Cheap, for counting: it trusts the offload's segment size and
/// only bounds it by the packet size. The result does not change when a header in front of the
/// packet is removed, and equals Gso::segment_count().
[[nodiscard]] std::uint32_t packet_count(const io::Packet& packet) noexcept;

/// Returns the bytes of these packets, each with its headers.
[[nodiscard]] std::uint32_t packet_bytes(const io::Packet& packet) noexcept;

/// Completes the transport checksum of a packet whose checksum field holds the pseudo-header's sum
/// (offload.needs_checksum) and clears needs_checksum. False: the offload's positions lie outside
/// the packet.
[[nodiscard]] bool complete_checksum(io::Packet& packet) noexcept;

}  // namespace culvert
