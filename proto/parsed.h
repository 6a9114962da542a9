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

}  // namespace culvert::proto
