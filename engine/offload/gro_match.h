// A packet as the Gro looks at it: which flow it belongs to, whether it may be part of a
// super-packet at all, and whether it follows another so closely that cutting a super-packet of
// both gives both back. Pure functions; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "io/packet.h"
#include "proto/checksum.h"

namespace culvert::gro_match {

inline constexpr std::size_t kPortsBytes = 4;

/// Whether a packet belongs to a flow whose packets may be joined.
enum class Kind : std::uint8_t {
  flow,    ///< TCP or UDP, and the ports are where they are expected
  hidden,  ///< it may belong to any flow between its addresses: fragments, options, extensions
  other,   ///< ICMP: of no such flow
};

/// A TCP or UDP packet, as far as joining looks into it.
struct Segment {
  std::byte* packet = nullptr;
  std::uint32_t hash = 0;  ///< of the flow
  std::uint32_t payload_bytes = 0;
  std::uint16_t ip_bytes = 0;      ///< the transport header begins here
  std::uint16_t header_bytes = 0;  ///< the payload begins here; 0: may not be joined
  bool is_ipv6 = false;
  bool is_tcp = false;
  bool has_trusted_checksum = false;  ///< the kernel vouches for it

  [[nodiscard]] bool may_be_joined() const noexcept { return header_bytes != 0; }
  [[nodiscard]] std::uint32_t size() const noexcept { return header_bytes + payload_bytes; }
  [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return {packet, size()}; }
  [[nodiscard]] std::span<const std::byte> transport() const noexcept {
    return bytes().subspan(ip_bytes);
  }
  [[nodiscard]] std::span<const std::byte> payload() const noexcept {
    return bytes().subspan(header_bytes);
  }
  /// Addresses and ports lie next to each other, since there is nothing between the headers.
  [[nodiscard]] std::span<const std::byte> flow_key() const noexcept {
    const std::size_t addresses = is_ipv6 ? 8 : 12;
    return {packet + addresses, ip_bytes + kPortsBytes - addresses};
  }
};

/// Reads a packet. `may_join`: false if it must go alone; `joins_udp`: whether datagrams are joined
/// at all. Only a packet of kind `flow` has a hash and a flow_key().
[[nodiscard]] Kind read_segment(Segment& segment, io::Packet& packet, bool may_join,
                                bool joins_udp) noexcept;

[[nodiscard]] inline bool is_equal(std::span<const std::byte> a,
                                   std::span<const std::byte> b) noexcept {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size()) == 0;
}
[[nodiscard]] inline bool is_same_flow(const Segment& a, const Segment& b) noexcept {
  return a.is_ipv6 == b.is_ipv6 && a.is_tcp == b.is_tcp && is_equal(a.flow_key(), b.flow_key());
}

/// The rest is for packets that may be joined.

/// Whether all header fields that cutting copies from the first packet are those of `next` too.
/// `position`: how many packets after the first.
[[nodiscard]] bool has_same_headers(const Segment& first, const Segment& next,
                                    std::uint32_t position) noexcept;

/// TCP with the flag PSH: nothing may follow it.
[[nodiscard]] bool has_push(const Segment& segment) noexcept;
[[nodiscard]] std::uint32_t tcp_sequence(const Segment& segment) noexcept;

/// Verifies the checksums: joining and cutting would repair them, and damage would go unseen.
[[nodiscard]] bool is_intact(const Segment& segment) noexcept;

/// Makes the headers those of a super-packet of `size` bytes, and says how it is to be cut.
[[nodiscard]] io::Offload make_super_packet(const Segment& first, std::uint32_t size,
                                            bool has_push) noexcept;

}  // namespace culvert::gro_match
