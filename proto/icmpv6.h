// ICMPv6 errors and echo requests (RFC 4443): builds them, and decides whether a packet may be
// answered with an error.
// Pure functions; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "proto/address.h"
#include "proto/ipv6.h"
#include "proto/parsed.h"

namespace culvert::proto {

inline constexpr std::uint8_t kIcmpv6DestinationUnreachable = 1, kIcmpv6PacketTooBig = 2,
                              kIcmpv6TimeExceeded = 3, kIcmpv6ParameterProblem = 4,
                              kIcmpv6Redirect = 137;
inline constexpr std::uint8_t kIcmpv6CodeNoRoute = 0, kIcmpv6CodeAddressUnreachable = 3;
inline constexpr std::uint8_t kIcmpv6EchoRequest = 128;
inline constexpr std::size_t kIcmpv6HeaderBytes = 8;
inline constexpr std::size_t kIcmpv6EchoRequestBytes = kIpv6HeaderBytes + kIcmpv6HeaderBytes;
inline constexpr std::size_t kIcmpv6ErrorMaxBytes = kIpv6MinimumMtu;  ///< RFC 4443 2.4(c)

/// Whether RFC 4443 2.4(e) allows an error of `type` in answer to `offending`. False if it is an
/// ICMPv6 error or Redirect, has a multicast destination (except for Packet Too Big), or has a
/// source that is not one node. False also if the ICMPv6 type cannot be read: a fragment other than
/// the first, or a packet that ends before its upper-layer header.
[[nodiscard]] bool may_answer_with_icmpv6_error(const Ipv6Packet& offending,
                                                std::uint8_t type) noexcept;

/// Builds a whole IPv6 packet with an ICMPv6 error that quotes as much of `offending` as fits in
/// 1280 bytes. `parameter`: the MTU of Packet Too Big, the pointer of Parameter Problem, otherwise
/// 0; host byte order. Returns the packet's size in bytes; `out` holds at least 1280. RFC
/// 4443 2.3, 2.4(c), 3.
[[nodiscard]] std::size_t build_icmpv6_error(std::span<std::byte> out, const Ipv6Address& source,
                                             const Ipv6Address& destination, std::uint8_t type,
                                             std::uint8_t code, std::uint32_t parameter,
                                             std::span<const std::byte> offending) noexcept;

/// Builds a whole IPv6 packet with an echo request: identifier and sequence number 0, no data. RFC
/// 4443 4.1.
void build_icmpv6_echo_request(std::span<std::byte, kIcmpv6EchoRequestBytes> out,
                               const Ipv6Address& source, const Ipv6Address& destination) noexcept;

}  // namespace culvert::proto
