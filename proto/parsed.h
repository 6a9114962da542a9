// Parsed<T>: the result of a parser of untrusted bytes: a T, or the rule that the bytes break.
// Plain values; any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "proto/expected.h"

namespace culvert::proto {

/// The rule that the bytes break. One byte. The engine maps it to a drop reason, depending on the
/// stage that parsed the bytes.
enum class Malformed : std::uint8_t {
  truncated,              ///< shorter than the header, or than the length that it states
  bad_version,            ///< IP or GRE version
  bad_header_length,      ///< IHL or data offset below the minimum or beyond the end
  bad_checksum,           ///< IPv4 header, GRE, TCP, UDP, ICMP
  reserved_bits_set,      ///< GRE, RFC 2784 2.3
  unknown_protocol_type,  ///< GRE payload that is neither IPv4 nor IPv6, RFC 2784 2.4
  // Neighbor discovery, RFC 4861 7.1.1 and 7.1.2.
  fragmented,              ///< has a Fragment header, RFC 6980 5
  not_neighbor_discovery,  ///< another ICMPv6 type, or another protocol
  bad_hop_limit,           ///< not 255
  bad_code,                ///< not 0
  bad_option,              ///< length 0, or beyond the end of the message
  multicast_target,
  destination_not_solicited_node,   ///< source :: and another destination
  unspecified_source_with_address,  ///< source :: and a source link-layer address option
  solicited_flag_on_multicast,      ///< an advertisement with the S flag to a multicast group
  unknown_extension_option,         ///< one with which the packet must be discarded, RFC 8200 4.2
  misplaced_hop_by_hop,             ///< a Hop-by-Hop header that is not the first, RFC 8200 4.1
};

/// The name of the enumerator.
[[nodiscard]] constexpr std::string_view name_of(Malformed malformed) noexcept {
  constexpr std::array<std::string_view, 17> kNames{"truncated",
                                                    "bad_version",
                                                    "bad_header_length",
                                                    "bad_checksum",
                                                    "reserved_bits_set",
                                                    "unknown_protocol_type",
                                                    "fragmented",
                                                    "not_neighbor_discovery",
                                                    "bad_hop_limit",
                                                    "bad_code",
                                                    "bad_option",
                                                    "multicast_target",
                                                    "destination_not_solicited_node",
                                                    "unspecified_source_with_address",
                                                    "solicited_flag_on_multicast",
                                                    "unknown_extension_option",
                                                    "misplaced_hop_by_hop"};
  return kNames[static_cast<std::size_t>(malformed)];
}

template <class T>
using Parsed = Expected<T, Malformed>;

/// Whether a parser verifies a checksum. It does not verify an encapsulation's checksum in a
/// super-packet: GRO has verified each packet and keeps only the first packet's checksum. It does
/// not verify an IPv4 header that the kernel has verified, and perhaps changed, before us.
enum class ChecksumCheck : std::uint8_t { verify, already_verified };

}  // namespace culvert::proto
