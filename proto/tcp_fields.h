// The place of each field in the IPv4 (RFC 791 3.1), IPv6 (RFC 8200 3), TCP (RFC 9293 3.1) and UDP
// (RFC 768) headers, and functions that read one field without a parser. Offsets are bytes from the
// first byte of the header. No function checks a length: the caller does. Pure functions; any
// thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "proto/address.h"
#include "proto/byte_order.h"
#include "proto/checksum.h"

namespace culvert::proto {

// ---- both IP versions ---------------------------------------------------------------------------

/// Version in the high four bits. The low four bits are the IHL (IPv4) or part of the Traffic
/// Class.
inline constexpr std::size_t kIpVersionOffset = 0;

/// The IP version of the packet that starts with `packet`: 4, 6, or an unknown number.
[[nodiscard]] inline unsigned ip_version(std::span<const std::byte> packet) noexcept {
  return unsigned{load_u8(packet, kIpVersionOffset)} >> 4;
}

// ---- IPv4, RFC 791 3.1 --------------------------------------------------------------------------

inline constexpr std::size_t kIpv4TosOffset = 1;             ///< DSCP and ECN
inline constexpr std::size_t kIpv4TotalLengthOffset = 2;     ///< 16 bits: header and payload
inline constexpr std::size_t kIpv4IdentificationOffset = 4;  ///< 16 bits
inline constexpr std::size_t kIpv4FragmentOffset = 6;        ///< 16 bits: flags and Fragment Offset
inline constexpr std::size_t kIpv4TtlOffset = 8;
inline constexpr std::size_t kIpv4ProtocolOffset = 9;
inline constexpr std::size_t kIpv4ChecksumOffset = 10;  ///< 16 bits: of the header alone
inline constexpr std::size_t kIpv4SourceOffset = 12;
inline constexpr std::size_t kIpv4DestinationOffset = 16;

/// First byte of a header without options: version 4, IHL 5.
inline constexpr std::uint8_t kIpv4VersionAndMinimumIhl = 0x45;
/// Bits of the word at kIpv4FragmentOffset, in host byte order.
inline constexpr std::uint16_t kIpv4DontFragment = 0x4000, kIpv4MoreFragments = 0x2000,
                               kIpv4OffsetMask = 0x1fff;  ///< in units of 8 bytes

/// `packet`: at least kIpv4HeaderBytes, from the IPv4 header on.
[[nodiscard]] inline Ipv4Address ipv4_source(std::span<const std::byte> packet) noexcept {
  return load<Ipv4Address>(packet, kIpv4SourceOffset);
}
[[nodiscard]] inline Ipv4Address ipv4_destination(std::span<const std::byte> packet) noexcept {
  return load<Ipv4Address>(packet, kIpv4DestinationOffset);
}

// ---- IPv6, RFC 8200 3 ---------------------------------------------------------------------------

inline constexpr std::size_t kIpv6PayloadLengthOffset = 4;  ///< 16 bits
inline constexpr std::size_t kIpv6NextHeaderOffset = 6;
inline constexpr std::size_t kIpv6HopLimitOffset = 7;
inline constexpr std::size_t kIpv6SourceOffset = 8;
inline constexpr std::size_t kIpv6DestinationOffset = 24;

/// `packet`: at least kIpv6HeaderBytes, from the IPv6 header on.
[[nodiscard]] inline Ipv6Address ipv6_source(std::span<const std::byte> packet) noexcept {
  return load<Ipv6Address>(packet, kIpv6SourceOffset);
}
[[nodiscard]] inline Ipv6Address ipv6_destination(std::span<const std::byte> packet) noexcept {
  return load<Ipv6Address>(packet, kIpv6DestinationOffset);
}

// ---- TCP, RFC 9293 3.1, and UDP, RFC 768 --------------------------------------------------------

/// 16 bits each, in TCP and UDP alike (and in UDP-Lite, SCTP and DCCP).
inline constexpr std::size_t kSourcePortOffset = 0, kDestinationPortOffset = 2;
inline constexpr std::size_t kPortsBytes = 4;  ///< both ports, from kSourcePortOffset on

inline constexpr std::size_t kTcpSequenceOffset = 4;        ///< 32 bits
inline constexpr std::size_t kTcpAcknowledgmentOffset = 8;  ///< 32 bits
inline constexpr std::size_t kTcpHeaderLengthOffset = 12;   ///< "Data Offset": the high four bits
inline constexpr std::size_t kTcpFlagsOffset = 13;          ///< CWR to FIN (tcp.h)
inline constexpr std::size_t kTcpWindowOffset = 14;         ///< 16 bits
inline constexpr std::size_t kTcpChecksumOffset = 16;       ///< 16 bits
inline constexpr std::size_t kTcpUrgentPointerOffset = 18;  ///< 16 bits

inline constexpr std::size_t kUdpLengthOffset = 4;    ///< 16 bits: header and payload
inline constexpr std::size_t kUdpChecksumOffset = 6;  ///< 16 bits; 0: no checksum was sent

/// The size of a TCP header in bytes, options included, as its Data Offset field states it: 0 to
/// 60. `segment`: at least kTcpHeaderBytes, from the TCP header on.
[[nodiscard]] inline std::size_t tcp_header_bytes(std::span<const std::byte> segment) noexcept {
  return std::size_t{load_u8(segment, kTcpHeaderLengthOffset)} >> 4 << 2;
}

// ---- the pseudo-header --------------------------------------------------------------------------

/// The sum of the pseudo-header of a packet, with the addresses in its IP header. `packet`: from the
/// IP header on. `length_bytes`: transport header and payload. RFC 9293 3.1, RFC 8200 8.1.
[[nodiscard]] inline ChecksumSum pseudo_header_sum(std::span<const std::byte> packet, bool is_ipv6,
                                                   std::uint8_t protocol,
                                                   std::size_t length_bytes) noexcept {
  const auto length = static_cast<std::uint32_t>(length_bytes);
  return is_ipv6
             ? pseudo_header_sum(ipv6_source(packet), ipv6_destination(packet), protocol, length)
             : pseudo_header_sum(ipv4_source(packet), ipv4_destination(packet), protocol, length);
}

}  // namespace culvert::proto
