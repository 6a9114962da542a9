// Parsed<T>: what a parser of untrusted bytes returns: a T, or the one rule that the bytes break.
#pragma once

#include <cstdint>

#include "proto/expected.h"

namespace culvert::proto {

/// The rule that the bytes break. One byte; the engine turns it into a drop reason by the stage at
/// which it was met.
enum class Malformed : std::uint8_t {
  truncated,              ///< ends before its header or its stated length does
  bad_version,            ///< IP or GRE version
  bad_header_length,      ///< IHL or data offset below the minimum or past the end
  bad_checksum,           ///< IPv4 header, GRE, TCP, UDP, ICMP
  reserved_bits_set,      ///< GRE, RFC 2784 2.3
  unknown_protocol_type,  ///< GRE payload that is neither IPv4 nor IPv6, RFC 2784 2.4
};

template <class T>
using Parsed = Expected<T, Malformed>;

/// Whether a parser verifies a checksum: not that of an encapsulation when the NIC has coalesced
/// packets, which it does only after it verified each, and leaves the first one's checksum behind;
/// nor that of an IPv4 header that the kernel has verified, and perhaps changed, before us.
enum class ChecksumCheck : std::uint8_t { verify, already_verified };

}  // namespace culvert::proto
