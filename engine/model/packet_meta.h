// The headers of an inner packet, as far as a tunnel needs them: one struct for IPv6 and IPv4, and
// for both directions. Pure functions; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "proto/encapsulation.h"
#include "proto/ipv4.h"
#include "proto/ipv6.h"
#include "proto/parsed.h"

namespace culvert {

/// The fields that both IP versions share, and the offset of the upper-layer header. Sizes are
/// whole words on purpose: a struct of 16 bytes would be returned in two registers, which g++ fills
/// through memory with a stall.
struct PacketMeta {
  std::size_t size_bytes = 0;  ///< length that the inner header states; bytes behind it are padding
  std::size_t ip_header_bytes = 0;  ///< fixed header, or IPv4 header with options
  std::size_t upper_offset = 0;  ///< bytes; 0: this packet does not contain the upper-layer header
  std::uint16_t protocol_type = 0;  ///< EtherType, host byte order: IPv6 or IPv4
  std::uint8_t ds_field = 0;        ///< TOS octet of IPv4, Traffic Class of IPv6: RFC 2474 3
  std::uint8_t hop_limit = 0;       ///< TTL of IPv4, RFC 791 3.1; Hop Limit of IPv6, RFC 8200 3
  std::uint8_t upper_protocol = 0;
  bool may_be_fragmented = false;  ///< IPv4 with DF clear
  bool is_fragment = false;

  [[nodiscard]] bool is_ipv6() const noexcept { return protocol_type == proto::kProtocolTypeIpv6; }
};

/// Parses an IPv6 or IPv4 packet by its version nibble. `bytes`: untrusted, any length. Fails as
/// parse_ipv6 and parse_ipv4 do, or with bad_version. The parser walks the IPv6 extension headers;
/// if the packet ends within the chain, upper_offset is 0.
[[nodiscard]] proto::Parsed<PacketMeta> classify(std::span<const std::byte> bytes) noexcept;

/// Returns false for sources that no tunnel may deliver. IPv6: multicast, loopback, IPv4-mapped and
/// IPv4-compatible addresses, except :: of duplicate address detection (RFC 4213 3.6). IPv4:
/// multicast, reserved and loopback addresses, and 0.0.0.0/8 except 0.0.0.0 itself (RFC 1122
/// 3.2.1.3). `bytes`: the packet from which `inner` was parsed.
[[nodiscard]] bool is_permitted_source(const PacketMeta& inner,
                                       std::span<const std::byte> bytes) noexcept;

/// Lowers the MSS option of a TCP SYN to the largest segment that fits `mtu_bytes`. Other packets
/// stay as they are. `bytes`: the packet from which `inner` was parsed. `checksum_is_partial`: the
/// checksum field holds only the pseudo-header's sum.
void clamp_to_mtu(const PacketMeta& inner, std::span<std::byte> bytes, std::uint16_t mtu_bytes,
                  bool checksum_is_partial) noexcept;

/// Sets the TOS octet of IPv4, header checksum included, or the Traffic Class of IPv6. `bytes`: as
/// above.
void set_inner_ds_field(const PacketMeta& inner, std::span<std::byte> bytes,
                        std::uint8_t ds_field) noexcept;

}  // namespace culvert
