#include "proto/ipv6.h"

#include <algorithm>

#include "proto/ipv4.h"

namespace culvert::proto {

Parsed<UpperLayer> find_upper_layer(const Ipv6Packet& packet) noexcept {
  const std::span<const std::byte> bytes = packet.bytes;
  UpperLayer upper{.protocol = packet.next_header, .offset_bytes = kIpv6HeaderBytes};
  for (;;) {
    const bool is_extension =
        upper.protocol == kHopByHopHeader || upper.protocol == kRoutingHeader ||
        upper.protocol == kFragmentHeader || upper.protocol == kAuthenticationHeader ||
        upper.protocol == kDestinationOptionsHeader;
    if (!is_extension) return upper;
    if (bytes.size() - upper.offset_bytes < 8) return Unexpected{Malformed::truncated};

    std::size_t header_bytes = 8;
    if (upper.protocol == kFragmentHeader) {
      const std::uint16_t fragment = load_be16(bytes, upper.offset_bytes + 2);
      const bool has_offset = (fragment & 0xfff8) != 0;
      const bool has_more = (fragment & 1) != 0;
      upper.is_fragment = upper.is_fragment || has_offset || has_more;
      upper.is_first_fragment = upper.is_fragment && !has_offset;
      upper.has_fragment_header = true;
      upper.identification = load_be32(bytes, upper.offset_bytes + 4);
    } else if (upper.protocol == kAuthenticationHeader) {
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

void set_ipv6_traffic_class(std::span<std::byte> packet, std::uint8_t traffic_class) noexcept {
  const std::uint16_t first_word = load_be16(packet, kIpVersionOffset);
  store_be16(packet, kIpVersionOffset,
             static_cast<std::uint16_t>((first_word & 0xf00f) | traffic_class << 4));
}

void set_ipv6_payload_bytes(std::span<std::byte> packet, std::uint16_t payload_bytes) noexcept {
  store_be16(packet, kIpv6PayloadLengthOffset, payload_bytes);
}

}  // namespace culvert::proto
