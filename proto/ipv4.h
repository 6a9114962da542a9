// The IPv4 header: parse, check, build, change (RFC 791). Pure functions; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "proto/address.h"
#include "proto/parsed.h"

namespace culvert::proto {

inline constexpr std::size_t kIpv4HeaderBytes = 20;  ///< without options
inline constexpr std::uint8_t kProtocolIcmp = 1, kProtocolTcp = 6, kProtocolUdp = 17,
                              kProtocolIpv6 = 41, kProtocolGre = 47, kProtocolIcmpv6 = 58;

/// A parsed IPv4 packet. Views into the bytes it was parsed from.
struct Ipv4Packet {
  Ipv4Address source;
  Ipv4Address destination;
  std::uint8_t tos = 0;  ///< DSCP and ECN
  std::uint8_t ttl = 0;
  std::uint8_t protocol = 0;
  std::uint16_t identification = 0;
  std::uint16_t fragment_offset_bytes = 0;
  bool more_fragments = false;
  bool dont_fragment = false;
  std::uint8_t header_bytes = 0;       ///< options included
  std::span<const std::byte> bytes;    ///< header and payload, cut to the total length
  std::span<const std::byte> payload;  ///< what follows the header

  [[nodiscard]] bool is_fragment() const noexcept {
    return more_fragments || fragment_offset_bytes != 0;
  }
};

/// Parses and checks one IPv4 packet. `bytes`: from the header on, untrusted, any length, any
/// alignment; bytes behind the total length are padding and ignored. Fails with truncated,
/// bad_version, bad_header_length or bad_checksum. RFC 791 3.1, RFC 1122 3.2.1.
[[nodiscard]] Parsed<Ipv4Packet> parse_ipv4(std::span<const std::byte> bytes) noexcept;

/// The same without the header's length and checksum tests, for the packet that an ICMP error
/// quotes: it is cut short, and its checksum may be of the moment it was dropped. Fails with
/// truncated, bad_version or bad_header_length. RFC 792, RFC 1812 4.3.2.3.
[[nodiscard]] Parsed<Ipv4Packet> parse_quoted_ipv4(std::span<const std::byte> bytes) noexcept;

/// What a header without options is built from, in host byte order.
struct Ipv4Fields {
  Ipv4Address source;
  Ipv4Address destination;
  std::uint8_t protocol = 0;
  std::uint8_t tos = 0;
  std::uint8_t ttl = 0;
  std::uint16_t identification = 0;
  bool dont_fragment = false;
  std::uint16_t total_bytes = 0;  ///< header and payload
};

/// Writes a 20-byte header, checksum included, at the start of `header`.
void build_ipv4(std::span<std::byte, kIpv4HeaderBytes> header, const Ipv4Fields& fields) noexcept;

/// Changes one field of the header at the start of `packet` and its checksum with it (RFC 1624).
void set_ipv4_tos(std::span<std::byte> packet, std::uint8_t tos) noexcept;
void set_ipv4_total_bytes(std::span<std::byte> packet, std::uint16_t total_bytes) noexcept;
void set_ipv4_identification(std::span<std::byte> packet, std::uint16_t identification) noexcept;
/// `offset_bytes` is a multiple of 8. RFC 791 3.1.
void set_ipv4_fragment(std::span<std::byte> packet, std::uint16_t offset_bytes, bool more_fragments,
                       bool dont_fragment) noexcept;

/// Writes the header of a fragment for `original` (RFC 791 3.2): all options for the first, only
/// those with the copied bit for the others. `header` has 60 bytes. Returns the header's size in
/// bytes. Total length, offset and flags are set by the caller with the setters above; the checksum
/// is valid.
[[nodiscard]] std::size_t build_ipv4_fragment_header(std::span<std::byte, 60> header,
                                                     const Ipv4Packet& original,
                                                     bool first) noexcept;

}  // namespace culvert::proto
