// Neighbor solicitations and advertisements on Ethernet (RFC 4861): parses them with every check
// that a receiver must do (7.1.1, 7.1.2; RFC 6980), and builds them. Pure functions; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "proto/address.h"
#include "proto/ethernet.h"
#include "proto/ipv6.h"
#include "proto/parsed.h"

namespace culvert::proto {

/// ICMPv6 types, RFC 4861 4.3, 4.4.
enum class NeighborMessageType : std::uint8_t { solicitation = 135, advertisement = 136 };

inline constexpr std::size_t kNeighborMessageBytes = 24;  ///< without options
inline constexpr std::size_t kLinkLayerOptionBytes = 8;   ///< of Ethernet, RFC 4861 4.6.1
inline constexpr std::size_t kNeighborAdvertisementBytes =
    kIpv6HeaderBytes + kNeighborMessageBytes + kLinkLayerOptionBytes;
inline constexpr std::size_t kNeighborSolicitationMaxBytes = kNeighborAdvertisementBytes;
inline constexpr std::uint8_t kNeighborHopLimit = 255;

namespace detail {
/// ff02::X.
constexpr Ipv6Address link_scope_group(std::uint8_t last) noexcept {
  Ipv6Address group;
  group.bytes[0] = std::byte{0xff};
  group.bytes[1] = std::byte{0x02};
  group.bytes[15] = std::byte{last};
  return group;
}
}  // namespace detail
/// RFC 4291 2.7.1: ff02::1, ff02::2.
inline constexpr Ipv6Address kAllNodes = detail::link_scope_group(1);
inline constexpr Ipv6Address kAllRouters = detail::link_scope_group(2);

/// ff02::1:ffXX:XXXX with the last three bytes of `target`. RFC 4291 2.7.1.
[[nodiscard]] Ipv6Address solicited_node_group(const Ipv6Address& target) noexcept;
[[nodiscard]] bool is_solicited_node_group(const Ipv6Address& address) noexcept;

/// A valid message.
struct NeighborMessage {
  NeighborMessageType type{};
  Ipv6Address source{};  ///< :: in a solicitation of duplicate address detection, RFC 4862 5.4
  Ipv6Address destination{};
  Ipv6Address target{};
  bool router = false, solicited = false, override = false;  ///< R, S, O of an advertisement
  /// Whether it has the option with the sender's link-layer address: the source link-layer address
  /// in a solicitation, the target link-layer address in an advertisement.
  bool has_address = false;
  EthernetAddress address{};
};

/// Parses a whole IPv6 packet; untrusted. It skips options other than the link-layer address, and
/// link-layer addresses that do not have the length of an Ethernet address. If there are several,
/// the last one counts.
/// Fails, in this order, with truncated, bad_version, fragmented, not_neighbor_discovery,
/// misplaced_hop_by_hop, unknown_extension_option, bad_hop_limit, bad_code, multicast_target, bad_option, destination_not_solicited_node,
/// unspecified_source_with_address, solicited_flag_on_multicast or bad_checksum.
/// RFC 4861 4.3, 4.4, 4.6, 7.1.1, 7.1.2; RFC 6980 5.
[[nodiscard]] Parsed<NeighborMessage> parse_neighbor_message(
    std::span<const std::byte> packet) noexcept;

/// The fields of a neighbor advertisement.
struct NeighborAdvertisementFields {
  Ipv6Address source{};
  Ipv6Address destination{};
  Ipv6Address target{};
  bool router = false, solicited = false, override = false;
  EthernetAddress address{};  ///< of the target link-layer address option
};
/// Builds a whole IPv6 packet. RFC 4861 4.4.
void build_neighbor_advertisement(std::span<std::byte, kNeighborAdvertisementBytes> out,
                                  const NeighborAdvertisementFields& fields) noexcept;

/// The fields of a neighbor solicitation.
struct NeighborSolicitationFields {
  Ipv6Address source{};
  Ipv6Address destination{};
  Ipv6Address target{};
  std::optional<EthernetAddress> address{};  ///< of the source link-layer address option
};
/// Builds a whole IPv6 packet. Returns its size in bytes: 64 without the option, else 72.
/// RFC 4861 4.3.
[[nodiscard]] std::size_t build_neighbor_solicitation(
    std::span<std::byte, kNeighborSolicitationMaxBytes> out,
    const NeighborSolicitationFields& fields) noexcept;

}  // namespace culvert::proto
