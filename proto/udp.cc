#include "proto/udp.h"

#include "proto/byte_order.h"

namespace culvert::proto {

Parsed<UdpHeader> parse_udp(std::span<const std::byte> datagram) noexcept {
  if (datagram.size() < kUdpHeaderBytes) return Unexpected{Malformed::truncated};
  const std::uint16_t length_bytes = load_be16(datagram, kUdpLengthOffset);
  if (length_bytes < kUdpHeaderBytes) return Unexpected{Malformed::bad_header_length};
  if (length_bytes > datagram.size()) return Unexpected{Malformed::truncated};
  return UdpHeader{.source_port = load_be16(datagram, kSourcePortOffset),
                   .destination_port = load_be16(datagram, kDestinationPortOffset),
                   .length_bytes = length_bytes,
                   .has_checksum = load_be16(datagram, kUdpChecksumOffset) != 0};
}

}  // namespace culvert::proto
