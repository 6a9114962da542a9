// The UDP header (RFC 768). Pure functions; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "proto/parsed.h"
#include "proto/tcp_fields.h"

namespace culvert::proto {

inline constexpr std::size_t kUdpHeaderBytes = 8;

/// A parsed UDP header, in host byte order.
struct UdpHeader {
  std::uint16_t source_port = 0;
  std::uint16_t destination_port = 0;
  std::uint16_t length_bytes = 0;  ///< header and payload, as the field states
  bool has_checksum = false;       ///< false: the field is 0, no checksum was sent
};

/// Parses the header at the start of `datagram`. Does not verify the checksum. Fails with truncated
/// (also if the length field is beyond the end) or bad_header_length (length below 8). RFC 768.
[[nodiscard]] Parsed<UdpHeader> parse_udp(std::span<const std::byte> datagram) noexcept;

}  // namespace culvert::proto
