// The TCP header (RFC 9293), as far as a tunnel uses it: flags, options, MSS. Pure functions; any
// thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "proto/byte_order.h"
#include "proto/parsed.h"
#include "proto/tcp_fields.h"

namespace culvert::proto {

inline constexpr std::size_t kTcpHeaderBytes = 20;  ///< without options
/// Flags in the low byte of the 13th and 14th byte. RFC 9293 3.1, RFC 3168 6.1.
inline constexpr std::uint8_t kTcpFin = 0x01, kTcpSyn = 0x02, kTcpRst = 0x04, kTcpPsh = 0x08,
                              kTcpAck = 0x10, kTcpUrg = 0x20, kTcpEce = 0x40, kTcpCwr = 0x80;

/// A parsed TCP header, in host byte order. `options` is a view into the segment.
struct TcpHeader {
  std::uint16_t source_port = 0;
  std::uint16_t destination_port = 0;
  std::uint32_t sequence = 0;
  std::uint32_t acknowledgment = 0;
  std::uint8_t header_bytes = 0;  ///< options included
  std::uint8_t flags = 0;
  std::uint16_t window = 0;
  std::span<const std::byte> options;
};

/// Parses the header at the start of `segment`. Does not verify the checksum. Fails with truncated
/// or bad_header_length. RFC 9293 3.1.
[[nodiscard]] Parsed<TcpHeader> parse_tcp(std::span<const std::byte> segment) noexcept;

/// Lowers every MSS option of a SYN segment that is larger than `mss_bytes`. `segment`: from the
/// TCP header on. `checksum_is_partial`: the checksum field holds only the sum of the pseudo-header
/// (a device will complete it), so it stays unchanged. Otherwise the checksum is updated (RFC
/// 1624), at odd option offsets too. Options behind a malformed option stay unchanged. Returns true
/// if an option was changed. RFC 9293 3.1, 3.7.1.
bool clamp_mss(std::span<std::byte> segment, std::uint16_t mss_bytes,
               bool checksum_is_partial) noexcept;

}  // namespace culvert::proto
