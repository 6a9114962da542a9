#include "proto/ipv6.h"

#include <algorithm>

#include "proto/ipv4.h"

namespace culvert::proto {
namespace {

constexpr std::size_t kPayloadLengthOffset = 4;
constexpr std::uint8_t kHopByHop = 0, kRouting = 43, kFragment = 44, kAuthentication = 51,
                       kDestinationOptions = 60;

// Fills in everything but the two views. The caller has checked that 40 bytes are there.
Ipv6Packet read_fields(std::span<const std::byte> bytes) noexcept {
  const std::uint32_t first_word = load_be32(bytes, 0);
  return {.source = load<Ipv6Address>(bytes, 8),
          .destination = load<Ipv6Address>(bytes, 24),
          .traffic_class = static_cast<std::uint8_t>(first_word >> 20),
          .flow_label = first_word & 0xfffff,
          .hop_limit = load_u8(bytes, 7),
          .next_header = load_u8(bytes, 6),
          .bytes = {},
          .payload = {}};
}

Parsed<std::size_t> check_header(std::span<const std::byte> bytes) noexcept {
  if (bytes.size() < kIpv6HeaderBytes) return Unexpected{Malformed::truncated};
  if (load_u8(bytes, 0) >> 4 != 6) return Unexpected{Malformed::bad_version};
  return kIpv6HeaderBytes + load_be16(bytes, kPayloadLengthOffset);
}

}  // namespace

Parsed<Ipv6Packet> parse_ipv6(std::span<const std::byte> bytes) noexcept {
  const auto total_bytes = check_header(bytes);
  if (!total_bytes) return Unexpected{total_bytes.error()};
  if (*total_bytes > bytes.size()) return Unexpected{Malformed::truncated};
  Ipv6Packet packet = read_fields(bytes);
  packet.bytes = bytes.first(*total_bytes);
  packet.payload = packet.bytes.subspan(kIpv6HeaderBytes);
  return packet;
}

Parsed<Ipv6Packet> parse_quoted_ipv6(std::span<const std::byte> bytes) noexcept {
  const auto total_bytes = check_header(bytes);
  if (!total_bytes) return Unexpected{total_bytes.error()};
  Ipv6Packet packet = read_fields(bytes);
  packet.bytes = bytes.first(std::min(bytes.size(), *total_bytes));
  packet.payload = packet.bytes.subspan(kIpv6HeaderBytes);
  return packet;
}

Parsed<UpperLayer> find_upper_layer(const Ipv6Packet& packet) noexcept {
  const std::span<const std::byte> bytes = packet.bytes;
  UpperLayer upper{.protocol = packet.next_header, .offset_bytes = kIpv6HeaderBytes};
  for (;;) {
    const bool is_extension = upper.protocol == kHopByHop || upper.protocol == kRouting ||
                              upper.protocol == kFragment || upper.protocol == kAuthentication ||
                              upper.protocol == kDestinationOptions;
    if (!is_extension) return upper;
    if (bytes.size() - upper.offset_bytes < 8) return Unexpected{Malformed::truncated};

    std::size_t header_bytes = 8;
    if (upper.protocol == kFragment) {
      const std::uint16_t fragment = load_be16(bytes, upper.offset_bytes + 2);
      const bool has_offset = (fragment & 0xfff8) != 0;
      const bool has_more = (fragment & 1) != 0;
      upper.is_fragment = upper.is_fragment || has_offset || has_more;
      upper.is_first_fragment = upper.is_fragment && !has_offset;
    } else if (upper.protocol == kAuthentication) {
      header_bytes = (load_u8(bytes, upper.offset_bytes + 1) + 2u) * 4u;  // RFC 4302 2.2
    } else {
      header_bytes = (load_u8(bytes, upper.offset_bytes + 1) + 1u) * 8u;
    }
    if (bytes.size() - upper.offset_bytes < header_bytes) return Unexpected{Malformed::truncated};
    upper.protocol = load_u8(bytes, upper.offset_bytes);
    upper.offset_bytes += header_bytes;
    if (upper.is_fragment && !upper.is_first_fragment) return upper;
  }
}

void build_ipv6(std::span<std::byte, kIpv6HeaderBytes> header, const Ipv6Fields& fields) noexcept {
  store_be32(header, 0, 0x6000'0000u | std::uint32_t{fields.traffic_class} << 20);
  store_be32(header, kPayloadLengthOffset,
             std::uint32_t{fields.payload_bytes} << 16 | std::uint32_t{fields.next_header} << 8 |
                 fields.hop_limit);
  store(header, 8, fields.source);
  store(header, 24, fields.destination);
}

void set_ipv6_traffic_class(std::span<std::byte> packet, std::uint8_t traffic_class) noexcept {
  const std::uint16_t first_word = load_be16(packet, 0);
  store_be16(packet, 0, static_cast<std::uint16_t>((first_word & 0xf00f) | traffic_class << 4));
}

void set_ipv6_payload_bytes(std::span<std::byte> packet, std::uint16_t payload_bytes) noexcept {
  store_be16(packet, kPayloadLengthOffset, payload_bytes);
}

}  // namespace culvert::proto
