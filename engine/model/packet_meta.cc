#include "engine/model/packet_meta.h"

#include "proto/tcp_fields.h"
#include "proto/udp.h"

namespace culvert {
namespace {

using Bytes = std::span<const std::byte>;

PacketMeta malformed(proto::Malformed reason, std::size_t ip_offset = 0) noexcept {
  return {.ip_offset = static_cast<std::uint16_t>(ip_offset), .malformed = reason};
}

void read_ports(PacketMeta& meta, Bytes upper) noexcept {
  if (upper.size() < proto::kPortsBytes) return;
  meta.has_ports = true;
  meta.ports = proto::load_be32(upper, proto::kSourcePortOffset);
}

void read_tcp(PacketMeta& meta, Bytes segment) noexcept {
  read_ports(meta, segment);
  if (segment.size() <= proto::kTcpFlagsOffset) return;
  meta.tcp_flags = proto::load_u8(segment, proto::kTcpFlagsOffset);
  if (segment.size() < proto::kTcpHeaderBytes) return;
  const std::size_t header_bytes = proto::tcp_header_bytes(segment);
  if (header_bytes >= proto::kTcpHeaderBytes && header_bytes <= segment.size())
    meta.payload_offset = meta.upper_offset + header_bytes;
}

/// Reads the ports, the TCP flags and the position of the payload. `upper`: from the upper-layer
/// header to the end of the packet.
void read_transport(PacketMeta& meta, Bytes upper) noexcept {
  if (meta.upper_protocol == proto::kProtocolTcp) {
    read_tcp(meta, upper);
  } else if (meta.upper_protocol == proto::kProtocolUdp) {
    read_ports(meta, upper);
    if (upper.size() >= proto::kUdpHeaderBytes)
      meta.payload_offset = meta.upper_offset + proto::kUdpHeaderBytes;
  } else if (has_ports(meta.upper_protocol)) {
    read_ports(meta, upper);
  }
}

/// Finds the upper-layer header behind IPv6 extension headers. Not inline: they are rare.
[[gnu::noinline]] void walk_extension_headers(PacketMeta& meta, Bytes ip) noexcept {
  const auto ipv6 = proto::parse_quoted_ipv6(ip);
  const auto upper = ipv6 ? proto::find_upper_layer(*ipv6) : Unexpected{ipv6.error()};
  if (!upper) {
    meta.upper_offset = 0;
    return;
  }
  meta.upper_protocol = upper->protocol;
  meta.identification = upper->identification;
  meta.upper_offset = meta.ip_offset + upper->offset_bytes;
  if (upper->is_fragment)
    meta.fragment = upper->is_first_fragment ? FragmentRole::first : FragmentRole::later;
  if (meta.fragment == FragmentRole::later) {
    meta.upper_offset = 0;
  } else {
    read_transport(meta, ip.subspan(upper->offset_bytes));
  }
}

/// `ip`: a valid packet, from the IP header to its end; likewise below. The fields are read here and
/// not from proto::Ipv6Packet, so that each is stored once, at its final place
/// (proto/in_place.h).
PacketMeta meta_of_ipv6(Bytes ip, std::size_t ip_offset) noexcept {
  PacketMeta meta{
      .size_bytes = ip.size(),
      .ip_header_bytes = proto::kIpv6HeaderBytes,
      .upper_offset = ip_offset + proto::kIpv6HeaderBytes,
      .protocol_type = proto::kProtocolTypeIpv6,
      .ip_offset = static_cast<std::uint16_t>(ip_offset),
      .upper_protocol = proto::load_u8(ip, proto::kIpv6NextHeaderOffset),
      .hop_limit = proto::load_u8(ip, proto::kIpv6HopLimitOffset),
      .ds_field = static_cast<std::uint8_t>(proto::load_be16(ip, proto::kIpVersionOffset) >> 4)};
  if (meta.upper_protocol == proto::kProtocolTcp || meta.upper_protocol == proto::kProtocolUdp) {
    read_transport(meta, ip.subspan(proto::kIpv6HeaderBytes));
  } else if (meta.upper_protocol != proto::kProtocolIcmpv6) {
    walk_extension_headers(meta, ip);
  }
  return meta;
}

FragmentRole ipv4_fragment_role(std::uint16_t fragment_word) noexcept {
  if ((fragment_word & proto::kIpv4OffsetMask) != 0) return FragmentRole::later;
  return (fragment_word & proto::kIpv4MoreFragments) != 0 ? FragmentRole::first
                                                          : FragmentRole::whole;
}

PacketMeta meta_of_ipv4(Bytes ip, std::size_t ip_offset) noexcept {
  const std::size_t header_bytes = (proto::load_u8(ip, proto::kIpVersionOffset) & 0xfu) * 4u;
  const std::uint16_t fragment_word = proto::load_be16(ip, proto::kIpv4FragmentOffset);
  const FragmentRole fragment = ipv4_fragment_role(fragment_word);
  PacketMeta meta{.size_bytes = ip.size(),
                  .ip_header_bytes = header_bytes,
                  .upper_offset = fragment == FragmentRole::later ? 0 : ip_offset + header_bytes,
                  .identification = proto::load_be16(ip, proto::kIpv4IdentificationOffset),
                  .protocol_type = proto::kProtocolTypeIpv4,
                  .ip_offset = static_cast<std::uint16_t>(ip_offset),
                  .upper_protocol = proto::load_u8(ip, proto::kIpv4ProtocolOffset),
                  .hop_limit = proto::load_u8(ip, proto::kIpv4TtlOffset),
                  .ds_field = proto::load_u8(ip, proto::kIpv4TosOffset),
                  .fragment = fragment,
                  .may_be_fragmented = (fragment_word & proto::kIpv4DontFragment) == 0};
  if (fragment != FragmentRole::later) read_transport(meta, ip.subspan(header_bytes));
  return meta;
}

}  // namespace

PacketMeta classify(Bytes bytes, std::size_t ip_offset) noexcept {
  if (bytes.size() <= ip_offset) return malformed(proto::Malformed::truncated);
  const Bytes ip = bytes.subspan(ip_offset);
  const unsigned version = proto::ip_version(ip);
  if (version == 6) {
    const auto ipv6 = proto::parse_ipv6(ip);
    if (!ipv6) return malformed(ipv6.error(), ip_offset);
    return meta_of_ipv6(ipv6->bytes, ip_offset);
  }
  if (version != 4) return malformed(proto::Malformed::bad_version, ip_offset);
  const auto ipv4 = proto::parse_ipv4(ip);
  if (!ipv4) return malformed(ipv4.error(), ip_offset);
  return meta_of_ipv4(ipv4->bytes, ip_offset);
}

PacketMeta classify_quoted(Bytes bytes) noexcept {
  if (bytes.empty()) return malformed(proto::Malformed::truncated);
  const unsigned version = proto::ip_version(bytes);
  if (version == 6) {
    const auto ipv6 = proto::parse_quoted_ipv6(bytes);
    if (!ipv6) return malformed(ipv6.error());
    return meta_of_ipv6(ipv6->bytes, 0);
  }
  if (version != 4) return malformed(proto::Malformed::bad_version);
  const auto ipv4 = proto::parse_quoted_ipv4(bytes);
  if (!ipv4) return malformed(ipv4.error());
  return meta_of_ipv4(ipv4->bytes, 0);
}

bool is_permitted_source(const PacketMeta& meta, Bytes bytes) noexcept {
  const Bytes ip = meta.ip_bytes(bytes);
  if (meta.is_ipv6()) {
    const auto source = proto::ipv6_source(ip);
    return !source.is_multicast() &&
           (source.is_unspecified() || !source.is_ipv4_compatible_or_mapped());
  }
  const auto source = proto::ipv4_source(ip);
  const bool is_this_network = source.host() >> 24 == 0 && !source.is_unspecified();
  return !source.is_multicast() && !source.is_reserved() && !source.is_loopback() &&
         !is_this_network;
}

void clamp_to_mtu(const PacketMeta& meta, std::span<std::byte> bytes, std::uint16_t mtu_bytes,
                  bool checksum_is_partial) noexcept {
  if ((meta.tcp_flags & proto::kTcpSyn) == 0 || meta.is_fragment()) return;
  const auto segment = bytes.subspan(meta.upper_offset, meta.end_offset() - meta.upper_offset);
  if (segment.size() < proto::kTcpHeaderBytes) return;
  // RFC 9293 3.7.1: the MSS counts neither IP nor TCP options, so it is the MTU less the fixed
  // headers.
  const std::size_t fixed =
      (meta.is_ipv6() ? proto::kIpv6HeaderBytes : proto::kIpv4HeaderBytes) + proto::kTcpHeaderBytes;
  proto::clamp_mss(segment, static_cast<std::uint16_t>(mtu_bytes - fixed), checksum_is_partial);
}

void set_ds_field(const PacketMeta& meta, std::span<std::byte> bytes,
                  std::uint8_t ds_field) noexcept {
  const auto ip = meta.ip_bytes(bytes);
  if (meta.is_ipv6()) {
    proto::set_ipv6_traffic_class(ip, ds_field);
  } else {
    proto::set_ipv4_tos(ip, ds_field);
  }
}

}  // namespace culvert
