// The inner packet of either direction, as far as a tunnel looks into it: one shape for IPv6 and
// IPv4. Pure functions; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "proto/encapsulation.h"
#include "proto/ipv4.h"
#include "proto/ipv6.h"
#include "proto/parsed.h"

namespace culvert {

/// What both IP versions have in common, and where the upper-layer header is. Sizes are whole words
/// on purpose: packed into 16 bytes it would be returned in two registers, which g++ fills through
/// memory with a stall.
struct InnerPacket {
  std::size_t size_bytes = 0;       ///< as its own header says: what lies behind is padding
  std::size_t ip_header_bytes = 0;  ///< fixed header, or IPv4 header with options
  std::size_t upper_offset = 0;     ///< bytes; 0: the upper-layer header is not in this packet
  std::uint16_t protocol_type = 0;  ///< EtherType: which version it is
  std::uint8_t tos = 0;             ///< traffic class, or TOS
  std::uint8_t ttl = 0;             ///< hop limit, or TTL
  std::uint8_t upper_protocol = 0;
  bool may_be_fragmented = false;  ///< IPv4 with DF clear
  bool is_fragment = false;

  [[nodiscard]] bool is_ipv6() const noexcept { return protocol_type == proto::kProtocolTypeIpv6; }
};

/// Parses an IPv6 or IPv4 packet by its version nibble. `bytes`: untrusted. Fails as parse_ipv4 and
/// parse_ipv6 do. Extension headers are walked; a chain that ends within one leaves upper_offset 0.
[[nodiscard]] proto::Parsed<InnerPacket> parse_inner(std::span<const std::byte> bytes) noexcept;

/// False for sources that no tunnel may bring in: multicast, loopback, IPv4-compatible (but ::, of
/// duplicate address detection) and IPv4-mapped IPv6 addresses (RFC 4213 3.6); for IPv4 multicast,
/// reserved and loopback, and 0.0.0.0/8 but for 0.0.0.0 itself (RFC 1122 3.2.1.3). `bytes`: a
/// parsed packet.
[[nodiscard]] bool is_permitted_source(const InnerPacket& inner,
                                       std::span<const std::byte> bytes) noexcept;

/// Lowers the MSS of a TCP SYN to what fits `mtu_bytes`. `bytes`: the packet that `inner` was
/// parsed from.
void clamp_to_mtu(const InnerPacket& inner, std::span<std::byte> bytes, std::uint16_t mtu_bytes,
                  bool checksum_is_partial) noexcept;

/// Sets the ECN field of the traffic class or TOS, IPv4 checksum included.
void set_inner_tos(const InnerPacket& inner, std::span<std::byte> bytes, std::uint8_t tos) noexcept;

}  // namespace culvert
