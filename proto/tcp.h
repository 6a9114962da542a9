// The TCP header as a tunnel meets it: flags, options, MSS (RFC 9293). Pure functions; any thread.
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

/// A parsed TCP header. Views into the segment.
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

/// Parses the header at the start of `segment`; does not verify the checksum. Fails with truncated
/// or bad_header_length.
[[nodiscard]] Parsed<TcpHeader> parse_tcp(std::span<const std::byte> segment) noexcept;

/// Lowers every MSS option of a SYN segment that says more than `mss_bytes`. `segment`: from the
/// TCP header on. `checksum_is_partial`: the field holds only the pseudo-header's sum (a device is
/// to finish it), so it is left alone; otherwise it is updated (RFC 1624), at odd option offsets
/// too. Returns true if something was changed. What follows a malformed option is left as it is.
/// RFC 9293 3.1, 3.7.1.
bool clamp_mss(std::span<std::byte> segment, std::uint16_t mss_bytes,
               bool checksum_is_partial) noexcept;

}  // namespace culvert::proto
