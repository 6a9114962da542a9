// The matching rules of GRO: the flow of a packet, whether it may be part of a super-packet at all,
// and whether it follows another packet so closely that segmenting a super-packet of both restores
// both. Pure functions; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "engine/model/packet_meta.h"
#include "io/packet.h"
#include "proto/checksum.h"
#include "proto/tcp_fields.h"

namespace culvert::gro_match {

/// How far the flow of a packet is known.
enum class Kind : std::uint8_t {
  flow,  ///< TCP or UDP, with the ports at a fixed offset
  /// Fragments, options, extension headers: it may belong to any flow between its addresses.
  hidden,
  other,  ///< ICMP: never part of a TCP or UDP flow
};

/// The fields of a TCP or UDP packet that GRO needs. Offsets and sizes count from the IP header.
struct Segment {
  std::byte* packet = nullptr;  ///< the IP header
  std::uint32_t hash = 0;       ///< hash of the flow
  std::uint32_t payload_bytes = 0;
  std::uint16_t ip_bytes = 0;      ///< offset of the transport header
  std::uint16_t header_bytes = 0;  ///< offset of the payload; 0: must not be joined
  bool is_ipv6 = false;
  bool is_tcp = false;
  std::uint8_t link_bytes = 0;        ///< size of the link-layer header in front of the IP header
  bool has_trusted_checksum = false;  ///< the kernel has verified it

  [[nodiscard]] bool may_be_joined() const noexcept { return header_bytes != 0; }
  [[nodiscard]] std::uint32_t size() const noexcept { return header_bytes + payload_bytes; }
  [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return {packet, size()}; }
  [[nodiscard]] std::span<const std::byte> link_header() const noexcept {
    return {packet - link_bytes, link_bytes};
  }
  [[nodiscard]] std::uint32_t frame_bytes() const noexcept { return link_bytes + size(); }
  [[nodiscard]] std::span<const std::byte> transport() const noexcept {
    return bytes().subspan(ip_bytes);
  }
  [[nodiscard]] std::span<const std::byte> payload() const noexcept {
    return bytes().subspan(header_bytes);
  }
  /// The addresses and ports, which are adjacent because nothing lies between the headers.
  [[nodiscard]] std::span<const std::byte> flow_key() const noexcept {
    const std::size_t addresses = is_ipv6 ? proto::kIpv6SourceOffset : proto::kIpv4SourceOffset;
    return {packet + addresses, ip_bytes + proto::kPortsBytes - addresses};
  }
};

/// Fills `segment` for a packet that `meta` describes. `may_join`: false if it must stay alone.
/// `joins_udp`: whether UDP is joined at all. Only a packet of kind `flow` has a hash and a
/// flow_key().
[[nodiscard]] Kind read_segment(Segment& segment, io::Packet& packet, const PacketMeta& meta,
                                bool may_join, bool joins_udp) noexcept;

[[nodiscard]] inline bool is_equal(std::span<const std::byte> a,
                                   std::span<const std::byte> b) noexcept {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size()) == 0;
}
[[nodiscard]] inline bool is_same_flow(const Segment& a, const Segment& b) noexcept {
  return a.is_ipv6 == b.is_ipv6 && a.is_tcp == b.is_tcp && is_equal(a.flow_key(), b.flow_key());
}

/// The following functions require packets with may_be_joined().

/// Returns whether `next` has the same value in all header fields that segmentation copies from the
/// first packet. `position`: number of packets since the first.
[[nodiscard]] bool has_same_headers(const Segment& first, const Segment& next,
                                    std::uint32_t position) noexcept;

/// Returns whether a TCP segment has the flag PSH, which ends a super-packet.
[[nodiscard]] bool has_push(const Segment& segment) noexcept;
[[nodiscard]] std::uint32_t tcp_sequence(const Segment& segment) noexcept;

/// Verifies the transport checksum. GRO and segmentation would rewrite a bad checksum and hide the
/// damage. classify() has verified the IPv4 header checksum.
[[nodiscard]] bool is_intact(const Segment& segment) noexcept;

/// Rewrites the first packet's headers as those of a super-packet of `size` bytes from the IP header
/// on, and returns its offload.
[[nodiscard]] io::Offload make_super_packet(const Segment& first, std::uint32_t size,
                                            bool has_push) noexcept;

}  // namespace culvert::gro_match
