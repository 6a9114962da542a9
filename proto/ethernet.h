// Ethernet addresses and the frame header in front of an IPv6 packet (RFC 2464). Pure functions;
// any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "proto/address.h"
#include "proto/byte_order.h"

namespace culvert::proto {

inline constexpr std::size_t kEthernetHeaderBytes = 14;
/// Bytes from the first byte of the frame. RFC 894, RFC 2464 3.
inline constexpr std::size_t kEthernetDestinationOffset = 0, kEthernetSourceOffset = 6,
                             kEthernetTypeOffset = 12;
inline constexpr std::uint16_t kEtherTypeIpv6 = 0x86dd;

/// A link-layer address, in network byte order.
struct EthernetAddress {
  std::array<std::uint8_t, 6> bytes{};

  /// A multicast address, or the broadcast address.
  [[nodiscard]] constexpr bool is_group() const noexcept { return (bytes[0] & 1) != 0; }
  friend auto operator<=>(const EthernetAddress&, const EthernetAddress&) = default;
};

/// The Ethernet address of an IPv6 multicast group: 33:33 and the last four bytes of the group.
/// RFC 2464 7.
[[nodiscard]] inline EthernetAddress ethernet_group(const Ipv6Address& group) noexcept {
  EthernetAddress address{{0x33, 0x33}};
  for (std::size_t i = 0; i < 4; ++i)
    address.bytes[2 + i] = std::to_integer<std::uint8_t>(group.bytes[12 + i]);
  return address;
}

/// Writes the header of a frame that carries IPv6. RFC 2464 3.
inline void build_ethernet(std::span<std::byte, kEthernetHeaderBytes> header,
                           const EthernetAddress& destination,
                           const EthernetAddress& source) noexcept {
  store(header, kEthernetDestinationOffset, destination);
  store(header, kEthernetSourceOffset, source);
  store_be16(header, kEthernetTypeOffset, kEtherTypeIpv6);
}

}  // namespace culvert::proto
