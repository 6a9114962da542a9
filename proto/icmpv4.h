// ICMPv4 errors (RFC 792, 1191, 1812): parses errors about outer packets, and builds errors in
// answer to inner packets. Pure functions; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "proto/address.h"
#include "proto/ipv4.h"
#include "proto/parsed.h"

namespace culvert::proto {

inline constexpr std::uint8_t kIcmpv4DestinationUnreachable = 3, kIcmpv4SourceQuench = 4,
                              kIcmpv4Redirect = 5, kIcmpv4TimeExceeded = 11,
                              kIcmpv4ParameterProblem = 12;
inline constexpr std::uint8_t kIcmpv4CodeNet = 0, kIcmpv4CodeHost = 1, kIcmpv4CodeProtocol = 2,
                              kIcmpv4CodePort = 3, kIcmpv4CodeFragmentationNeeded = 4;
inline constexpr std::size_t kIcmpv4HeaderBytes = 8;

/// A parsed ICMPv4 error message, in host byte order.
struct Icmpv4Error {
  std::uint8_t type = 0;
  std::uint8_t code = 0;
  /// Of fragmentation needed; 0 from routers older than RFC 1191.
  std::uint16_t next_hop_mtu_bytes = 0;
  /// The start of the offending packet, from its IPv4 header on. A view into the message.
  std::span<const std::byte> quoted;
};

/// Parses an ICMPv4 error. `message`: all bytes behind the IPv4 header; untrusted. Fails with
/// truncated, bad_checksum or, if it is no error message, unknown_protocol_type. RFC 792,
/// RFC 1191 4.
[[nodiscard]] Parsed<Icmpv4Error> parse_icmpv4_error(std::span<const std::byte> message) noexcept;

/// Whether `type` is an ICMPv4 error message. No error is sent in answer to one. RFC 1122 3.2.2.
[[nodiscard]] bool is_icmpv4_error_type(std::uint8_t type) noexcept;

/// Whether an ICMPv4 error may be sent in answer to `offending`. False if it is an ICMPv4 error,
/// has a multicast or broadcast destination, is a fragment other than the first, or has a source
/// that is not one host. RFC 1122 3.2.2, RFC 1812 4.3.2.7.
[[nodiscard]] bool may_answer_with_icmpv4_error(const Ipv4Packet& offending) noexcept;

/// Builds a whole IPv4 packet with an ICMPv4 error that quotes as much of `offending` as fits in
/// 576 bytes (RFC 1812 4.3.2.3). Returns the packet's size in bytes; `out` holds at least 576.
[[nodiscard]] std::size_t build_icmpv4_error(std::span<std::byte> out, Ipv4Address source,
                                             Ipv4Address destination, std::uint8_t type,
                                             std::uint8_t code, std::uint16_t next_hop_mtu_bytes,
                                             std::span<const std::byte> offending) noexcept;

/// The largest plateau of RFC 1191 7.1 below `total_bytes`: an estimate of the path MTU if a router
/// has dropped a packet of `total_bytes` without reporting its MTU.
[[nodiscard]] std::uint16_t next_lower_plateau(std::uint16_t total_bytes) noexcept;

}  // namespace culvert::proto
