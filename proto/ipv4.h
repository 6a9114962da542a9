// The IPv4 header (RFC 791): functions that parse, check, build and change it. Pure functions; any
// thread.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "proto/address.h"
#include "proto/checksum.h"
#include "proto/parsed.h"
#include "proto/tcp_fields.h"

namespace culvert::proto {

inline constexpr std::size_t kIpv4HeaderBytes = 20;   ///< without options
inline constexpr std::uint16_t kIpv4MinimumMtu = 68;  ///< RFC 791 3.2: every link carries it
inline constexpr std::uint8_t kProtocolIcmp = 1, kProtocolIpv4 = 4, kProtocolTcp = 6,
                              kProtocolUdp = 17, kProtocolIpv6 = 41, kProtocolGre = 47,
                              kProtocolIcmpv6 = 58;

/// A parsed IPv4 packet, in host byte order. The spans are views into the parsed bytes.
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
  std::span<const std::byte> payload;  ///< from the end of the header on

  [[nodiscard]] bool is_fragment() const noexcept {
    return more_fragments || fragment_offset_bytes != 0;
  }
};

/// Parses and checks one IPv4 packet. `bytes`: from the header on; untrusted, any length, any
/// alignment. Bytes behind the total length are padding and ignored. Fails with truncated,
/// bad_version, bad_header_length or bad_checksum. RFC 791 3.1, RFC 1122 3.2.1.
[[nodiscard]] Parsed<Ipv4Packet> parse_ipv4(std::span<const std::byte> bytes,
                                            ChecksumCheck check = ChecksumCheck::verify) noexcept;

/// Parses the packet that an ICMP error quotes, without the tests of total length and checksum: the
/// packet is cut short, and routers on the path may have changed its header. Fails with truncated,
/// bad_version or bad_header_length. RFC 792, RFC 1812 4.3.2.3.
[[nodiscard]] Parsed<Ipv4Packet> parse_quoted_ipv4(std::span<const std::byte> bytes) noexcept;

/// The fields of a header without options, in host byte order.
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

/// Change one field of the header at the start of `packet` and update the checksum (RFC 1624).
/// Values are in host byte order.
void set_ipv4_tos(std::span<std::byte> packet, std::uint8_t tos) noexcept;
void set_ipv4_total_bytes(std::span<std::byte> packet, std::uint16_t total_bytes) noexcept;
/// Sets the flags and the Fragment Offset. `offset_bytes` is a multiple of 8. RFC 791 3.1.
void set_ipv4_fragment(std::span<std::byte> packet, std::uint16_t offset_bytes, bool more_fragments,
                       bool dont_fragment) noexcept;

/// Writes the header of a fragment of `original` (RFC 791 3.2). The first fragment has all options,
/// the others only those with the copied bit. Returns the header's size in bytes. The checksum is
/// valid. The caller sets total length, offset and flags with the functions above.
[[nodiscard]] std::size_t build_ipv4_fragment_header(std::span<std::byte, 60> header,
                                                     const Ipv4Packet& original,
                                                     bool first) noexcept;

// ---- inline definitions for the hot path --------------------------------------------------------

namespace detail {

// Reads all fields except the two views. The caller has checked that there are 20 bytes.
inline Ipv4Packet read_ipv4_fields(std::span<const std::byte> bytes,
                                   std::size_t header_bytes) noexcept {
  const std::uint16_t fragment = load_be16(bytes, kIpv4FragmentOffset);
  return {.source = ipv4_source(bytes),
          .destination = ipv4_destination(bytes),
          .tos = load_u8(bytes, kIpv4TosOffset),
          .ttl = load_u8(bytes, kIpv4TtlOffset),
          .protocol = load_u8(bytes, kIpv4ProtocolOffset),
          .identification = load_be16(bytes, kIpv4IdentificationOffset),
          .fragment_offset_bytes = static_cast<std::uint16_t>((fragment & kIpv4OffsetMask) * 8),
          .more_fragments = (fragment & kIpv4MoreFragments) != 0,
          .dont_fragment = (fragment & kIpv4DontFragment) != 0,
          .header_bytes = static_cast<std::uint8_t>(header_bytes),
          .bytes = {},
          .payload = {}};
}

// Checks the first byte and returns the header's size in bytes.
inline Parsed<std::size_t> check_ipv4_header(std::span<const std::byte> bytes) noexcept {
  if (bytes.size() < kIpv4HeaderBytes) return Unexpected{Malformed::truncated};
  const std::uint8_t version_and_length = load_u8(bytes, kIpVersionOffset);
  if (version_and_length >> 4 != 4) return Unexpected{Malformed::bad_version};
  const std::size_t header_bytes = (version_and_length & 0xfu) * 4u;
  if (header_bytes < kIpv4HeaderBytes) return Unexpected{Malformed::bad_header_length};
  if (header_bytes > bytes.size()) return Unexpected{Malformed::truncated};
  return header_bytes;
}

}  // namespace detail

inline Parsed<Ipv4Packet> parse_ipv4(std::span<const std::byte> bytes,
                                     ChecksumCheck check) noexcept {
  const auto header_bytes = detail::check_ipv4_header(bytes);
  if (!header_bytes) return Unexpected{header_bytes.error()};
  const std::size_t total_bytes = load_be16(bytes, kIpv4TotalLengthOffset);
  if (total_bytes < *header_bytes) return Unexpected{Malformed::bad_header_length};
  if (total_bytes > bytes.size()) return Unexpected{Malformed::truncated};
  if (check == ChecksumCheck::verify) {
    const ChecksumSum header_sum = *header_bytes == kIpv4HeaderBytes
                                       ? sum_words(bytes.first<kIpv4HeaderBytes>())
                                       : sum(bytes.first(*header_bytes));
    if (!verifies(header_sum)) return Unexpected{Malformed::bad_checksum};
  }

  Ipv4Packet packet = detail::read_ipv4_fields(bytes, *header_bytes);
  packet.bytes = bytes.first(total_bytes);
  packet.payload = packet.bytes.subspan(*header_bytes);
  return packet;
}

inline Parsed<Ipv4Packet> parse_quoted_ipv4(std::span<const std::byte> bytes) noexcept {
  const auto header_bytes = detail::check_ipv4_header(bytes);
  if (!header_bytes) return Unexpected{header_bytes.error()};
  // Some stacks quote a total length that they have changed already. It may cut padding off, but
  // never part of the header.
  const std::size_t total_bytes =
      std::max<std::size_t>(load_be16(bytes, kIpv4TotalLengthOffset), *header_bytes);

  Ipv4Packet packet = detail::read_ipv4_fields(bytes, *header_bytes);
  packet.bytes = bytes.first(std::min(bytes.size(), total_bytes));
  packet.payload = packet.bytes.subspan(*header_bytes);
  return packet;
}

inline void build_ipv4(std::span<std::byte, kIpv4HeaderBytes> header,
                       const Ipv4Fields& fields) noexcept {
  // Builds whole words in registers: summing bytes that were just stored would stall.
  const auto word = [](std::uint32_t high, std::uint32_t low) {
    return Be32::from_host(high << 16 | low);
  };
  const Be32 words[3] = {
      word(std::uint32_t{kIpv4VersionAndMinimumIhl} << 8 | fields.tos, fields.total_bytes),
      word(fields.identification, fields.dont_fragment ? kIpv4DontFragment : 0),
      word(std::uint32_t{fields.ttl} << 8 | fields.protocol, 0),
  };
  const auto source = load<std::uint32_t>(fields.source.bytes);
  const auto destination = load<std::uint32_t>(fields.destination.bytes);
  const ChecksumSum total = ChecksumSum{words[0].wire()} + ChecksumSum{words[1].wire()} +
                            ChecksumSum{words[2].wire()} + ChecksumSum{source} +
                            ChecksumSum{destination};
  store(header, kIpVersionOffset, words[0]);
  store(header, kIpv4IdentificationOffset, words[1]);
  store(header, kIpv4TtlOffset, Be32::from_host(words[2].host() | finish(total).host()));
  store(header, kIpv4SourceOffset, source);
  store(header, kIpv4DestinationOffset, destination);
}

}  // namespace culvert::proto
