// PacketMeta: the headers of an inner packet, parsed once. classify() fills it: outbound when the
// packet comes from TUN, inbound after decapsulation. Everything behind reads it instead of the
// headers: tunnel selection, flows, MSS clamping, fragmentation, GRO and GSO. One struct for IPv6
// and IPv4 and for both directions. Pure functions over untrusted bytes; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "proto/encapsulation.h"
#include "proto/ipv4.h"
#include "proto/ipv6.h"
#include "proto/parsed.h"
#include "proto/tcp.h"

namespace culvert {

inline constexpr std::uint8_t kProtocolDccp = 33, kProtocolSctp = 132, kProtocolUdpLite = 136;

/// Whether the upper-layer header of this protocol begins with a source and a destination port.
[[nodiscard]] constexpr bool has_ports(std::uint8_t protocol) noexcept {
  switch (protocol) {
    case proto::kProtocolTcp:
    case proto::kProtocolUdp:
    case kProtocolUdpLite:
    case kProtocolSctp:
    case kProtocolDccp:
      return true;
    default:
      return false;
  }
}

/// The place of a packet among the fragments of a datagram. RFC 791 3.2, RFC 8200 4.5.
enum class FragmentRole : std::uint8_t {
  whole,  ///< not a fragment; an atomic fragment (RFC 6946) is whole
  first,  ///< has the upper-layer header
  later,
};

/// All offsets count from the first byte of the packet. One cache line.
struct PacketMeta {
  /// Length that the IP header states, from the IP header on. Bytes behind it are padding.
  std::size_t size_bytes = 0;
  std::size_t ip_header_bytes = 0;  ///< fixed header, or IPv4 header with options
  std::size_t upper_offset = 0;     ///< 0: this packet does not contain the upper-layer header
  /// Behind the TCP header with its options, or the UDP header. 0: another protocol; a fragment
  /// that is not the first; or the header is malformed or not completely in the packet.
  std::size_t payload_offset = 0;
  std::uint32_t ports = 0;           ///< source port in the high half; host byte order
  std::uint32_t identification = 0;  ///< of IPv4; of the IPv6 Fragment header, if there is one
  /// Packets that it stands for. classify() does not see the offload, so its caller sets this.
  std::uint32_t packet_count = 1;
  std::uint16_t protocol_type = 0;  ///< EtherType, host byte order: IPv6 or IPv4; 0: no IP header
  /// Of the IP header: 0 on a TUN device. Also set if that header is malformed, but 0 if the packet
  /// ends before it.
  std::uint16_t ip_offset = 0;
  std::uint8_t upper_protocol = 0;
  std::uint8_t hop_limit = 0;  ///< TTL of IPv4, RFC 791 3.1; Hop Limit of IPv6, RFC 8200 3
  std::uint8_t ds_field = 0;   ///< TOS octet of IPv4, Traffic Class of IPv6: RFC 2474 3
  std::uint8_t tcp_flags = 0;  ///< CWR to FIN (proto/tcp.h); 0 for other protocols
  FragmentRole fragment = FragmentRole::whole;
  bool may_be_fragmented = false;  ///< IPv4 with DF clear
  bool has_ports = false;          ///< the protocol has ports, and the packet contains them
  /// Why there is no IP header, if protocol_type is 0.
  proto::Malformed malformed = proto::Malformed::truncated;

  [[nodiscard]] bool has_ip_header() const noexcept { return protocol_type != 0; }
  [[nodiscard]] bool is_ipv6() const noexcept { return protocol_type == proto::kProtocolTypeIpv6; }
  [[nodiscard]] bool is_fragment() const noexcept { return fragment != FragmentRole::whole; }
  /// The end of the packet without its padding, as an offset.
  [[nodiscard]] std::size_t end_offset() const noexcept { return ip_offset + size_bytes; }
  /// The part of the packet's `bytes` that begins with the IP header.
  template <class Byte>
  [[nodiscard]] std::span<Byte> ip_bytes(std::span<Byte> bytes) const noexcept {
    return bytes.subspan(ip_offset);
  }
};
static_assert(sizeof(PacketMeta) <= 64);

/// Parses an IPv6 or IPv4 packet by its version nibble. `bytes`: untrusted, any length.
/// `ip_offset`: the size in bytes of the link-layer header in front of the IP header. Without an IP
/// header, `malformed` says why: as parse_ipv6 and parse_ipv4 say it, or bad_version. The parser
/// walks the IPv6 extension headers; if the packet ends within the chain, upper_offset is 0.
[[nodiscard]] PacketMeta classify(std::span<const std::byte> bytes,
                                  std::size_t ip_offset = 0) noexcept;

/// Parses the packet that an ICMP error quotes: it is cut short, and its IPv4 header checksum is
/// not verified. size_bytes counts the quoted bytes only. Fails as parse_quoted_ipv6 and
/// parse_quoted_ipv4 do, or with bad_version.
[[nodiscard]] PacketMeta classify_quoted(std::span<const std::byte> bytes) noexcept;

/// Returns whether a payload packet has the IP version that the encapsulation announces. Otherwise a
/// tunnel for IPv6 would deliver IPv4 (RFC 4213 3: protocol 41 is IPv6). True for an empty packet,
/// which classify() reports as truncated. `protocol_type`: an EtherType, IPv6 or IPv4.
[[nodiscard]] inline bool is_of_protocol_type(std::span<const std::byte> packet,
                                              std::uint16_t protocol_type) noexcept {
  return packet.empty() ||
         proto::ip_version(packet) == (protocol_type == proto::kProtocolTypeIpv6 ? 6u : 4u);
}

/// Returns false for sources that no tunnel may deliver. IPv6: multicast, loopback, IPv4-mapped and
/// IPv4-compatible addresses, except :: of duplicate address detection (RFC 4213 3.6). IPv4:
/// multicast, reserved and loopback addresses, and 0.0.0.0/8 except 0.0.0.0 itself (RFC 1122
/// 3.2.1.3). `bytes`: the packet that `meta` describes, here and below.
[[nodiscard]] bool is_permitted_source(const PacketMeta& meta,
                                       std::span<const std::byte> bytes) noexcept;

/// Lowers the MSS option of a TCP SYN to the largest segment that fits `mtu_bytes`. Other packets
/// stay as they are. `checksum_is_partial`: the checksum field holds only the pseudo-header's sum.
void clamp_to_mtu(const PacketMeta& meta, std::span<std::byte> bytes, std::uint16_t mtu_bytes,
                  bool checksum_is_partial) noexcept;

/// Sets the TOS octet of IPv4, header checksum included, or the Traffic Class of IPv6.
void set_ds_field(const PacketMeta& meta, std::span<std::byte> bytes,
                  std::uint8_t ds_field) noexcept;

}  // namespace culvert
