// The IPv6 header and its extension headers (RFC 8200): functions that parse, build and change
// them. Pure functions; any thread.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "proto/address.h"
#include "proto/byte_order.h"
#include "proto/parsed.h"
#include "proto/tcp_fields.h"

namespace culvert::proto {

/// Extension headers by their Next Header values. RFC 8200 4.1, RFC 4302.
inline constexpr std::uint8_t kHopByHopHeader = 0, kRoutingHeader = 43, kFragmentHeader = 44,
                              kAuthenticationHeader = 51, kDestinationOptionsHeader = 60;

inline constexpr std::size_t kIpv6HeaderBytes = 40;
inline constexpr std::uint16_t kIpv6MinimumMtu = 1280;  ///< RFC 8200 5

/// A parsed IPv6 packet, in host byte order. The spans are views into the parsed bytes.
struct Ipv6Packet {
  Ipv6Address source;
  Ipv6Address destination;
  std::uint8_t traffic_class = 0;
  std::uint32_t flow_label = 0;
  std::uint8_t hop_limit = 0;
  std::uint8_t next_header = 0;        ///< of the fixed header
  std::span<const std::byte> bytes;    ///< cut to 40 + payload length: RFC 4213 3.6
  std::span<const std::byte> payload;  ///< from the end of the fixed header on
};

/// Parses one IPv6 packet. `bytes`: from the header on; untrusted, any length. Bytes behind the
/// payload length are padding and ignored. Fails with truncated or bad_version. RFC 8200 3.
[[nodiscard]] Parsed<Ipv6Packet> parse_ipv6(std::span<const std::byte> bytes) noexcept;

/// Parses a packet that an ICMP error quotes and has cut short: `bytes` and `payload` end where the
/// quotation ends. Fails with truncated (below 40 bytes) or bad_version.
[[nodiscard]] Parsed<Ipv6Packet> parse_quoted_ipv6(std::span<const std::byte> bytes) noexcept;

/// The upper-layer header of an IPv6 packet.
struct UpperLayer {
  std::uint8_t protocol = 0;         ///< the last Next Header value
  std::size_t offset_bytes = 0;      ///< from the start of the fixed header
  bool is_fragment = false;          ///< there is a Fragment header with an offset or the M flag
  bool is_first_fragment = false;    ///< a fragment with offset 0: it has the upper-layer header
  bool has_fragment_header = false;  ///< true for an atomic fragment too (RFC 6946)
  std::uint32_t identification = 0;  ///< of the Fragment header, in host byte order
};

/// Skips Hop-by-Hop, Routing, Destination Options and Fragment headers and AH. Stops at the first
/// other header. For a fragment that is not the first, the protocol is the Next Header of its
/// Fragment header. Fails with truncated. The packet's length bounds the work. RFC 8200 4.
[[nodiscard]] Parsed<UpperLayer> find_upper_layer(const Ipv6Packet& packet) noexcept;

/// The fields of a fixed header, in host byte order. The flow label is 0.
struct Ipv6Fields {
  Ipv6Address source;
  Ipv6Address destination;
  std::uint8_t traffic_class = 0;
  std::uint8_t next_header = 0;
  std::uint8_t hop_limit = 0;
  std::uint16_t payload_bytes = 0;
};
/// Writes the 40-byte fixed header.
void build_ipv6(std::span<std::byte, kIpv6HeaderBytes> header, const Ipv6Fields& fields) noexcept;

/// Change one field of the header at the start of `packet`. Values are in host byte order.
void set_ipv6_traffic_class(std::span<std::byte> packet, std::uint8_t traffic_class) noexcept;
void set_ipv6_payload_bytes(std::span<std::byte> packet, std::uint16_t payload_bytes) noexcept;

// ---- inline definitions for the hot path --------------------------------------------------------

namespace detail {

// Reads all fields except the two views. The caller has checked that there are 40 bytes.
inline Ipv6Packet read_ipv6_fields(std::span<const std::byte> bytes) noexcept {
  const std::uint32_t first_word = load_be32(bytes, kIpVersionOffset);
  return {.source = ipv6_source(bytes),
          .destination = ipv6_destination(bytes),
          .traffic_class = static_cast<std::uint8_t>(first_word >> 20),
          .flow_label = first_word & 0xfffff,
          .hop_limit = load_u8(bytes, kIpv6HopLimitOffset),
          .next_header = load_u8(bytes, kIpv6NextHeaderOffset),
          .bytes = {},
          .payload = {}};
}

// Checks the header and returns the size in bytes that it states for the whole packet.
inline Parsed<std::size_t> check_ipv6_header(std::span<const std::byte> bytes) noexcept {
  if (bytes.size() < kIpv6HeaderBytes) return Unexpected{Malformed::truncated};
  if (ip_version(bytes) != 6) return Unexpected{Malformed::bad_version};
  return kIpv6HeaderBytes + load_be16(bytes, kIpv6PayloadLengthOffset);
}

}  // namespace detail

inline Parsed<Ipv6Packet> parse_ipv6(std::span<const std::byte> bytes) noexcept {
  const auto total_bytes = detail::check_ipv6_header(bytes);
  if (!total_bytes) return Unexpected{total_bytes.error()};
  if (*total_bytes > bytes.size()) return Unexpected{Malformed::truncated};
  Ipv6Packet packet = detail::read_ipv6_fields(bytes);
  packet.bytes = bytes.first(*total_bytes);
  packet.payload = packet.bytes.subspan(kIpv6HeaderBytes);
  return packet;
}

inline Parsed<Ipv6Packet> parse_quoted_ipv6(std::span<const std::byte> bytes) noexcept {
  const auto total_bytes = detail::check_ipv6_header(bytes);
  if (!total_bytes) return Unexpected{total_bytes.error()};
  Ipv6Packet packet = detail::read_ipv6_fields(bytes);
  packet.bytes = bytes.first(std::min(bytes.size(), *total_bytes));
  packet.payload = packet.bytes.subspan(kIpv6HeaderBytes);
  return packet;
}

inline void build_ipv6(std::span<std::byte, kIpv6HeaderBytes> header,
                       const Ipv6Fields& fields) noexcept {
  store_be32(header, kIpVersionOffset, 0x6000'0000u | std::uint32_t{fields.traffic_class} << 20);
  store_be32(header, kIpv6PayloadLengthOffset,
             std::uint32_t{fields.payload_bytes} << 16 | std::uint32_t{fields.next_header} << 8 |
                 fields.hop_limit);
  store(header, kIpv6SourceOffset, fields.source);
  store(header, kIpv6DestinationOffset, fields.destination);
}

}  // namespace culvert::proto
