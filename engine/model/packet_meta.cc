#include "engine/model/packet_meta.h"

#include "proto/tcp_fields.h"
#include "proto/udp.h"

namespace culvert {
namespace {

using Bytes = std::span<const std::byte>;

PacketMeta malformed(proto::Malformed reason) noexcept { return {.malformed = reason}; }

/// Reads the ports, the TCP flags and the position of the payload. `ip`: from the IP header to the
/// end of the packet.
void read_transport(PacketMeta& meta, Bytes ip) noexcept {
  if (!has_ports(meta.upper_protocol) || meta.upper_offset == 0) return;
  const Bytes upper = ip.subspan(meta.upper_offset - meta.ip_offset);
  if (upper.size() < proto::kPortsBytes) return;
  meta.has_ports = true;
  meta.ports = proto::load_be32(upper, proto::kSourcePortOffset);
  if (meta.upper_protocol == proto::kProtocolUdp) {
    if (upper.size() >= proto::kUdpHeaderBytes)
      meta.payload_offset = meta.upper_offset + proto::kUdpHeaderBytes;
    return;
  }
  if (meta.upper_protocol != proto::kProtocolTcp) return;
  if (upper.size() > proto::kTcpFlagsOffset)
    meta.tcp_flags = proto::load_u8(upper, proto::kTcpFlagsOffset);
  if (upper.size() < proto::kTcpHeaderBytes) return;
  const std::size_t header_bytes = proto::tcp_header_bytes(upper);
  if (header_bytes >= proto::kTcpHeaderBytes && header_bytes <= upper.size())
    meta.payload_offset = meta.upper_offset + header_bytes;
}

/// Finds the upper-layer header behind IPv6 extension headers.
void walk_extension_headers(PacketMeta& meta, const proto::Ipv6Packet& ipv6) noexcept {
  const auto upper = proto::find_upper_layer(ipv6);
  if (!upper) {
    meta.upper_offset = 0;
    return;
  }
  meta.upper_protocol = upper->protocol;
  meta.identification = upper->identification;
  meta.upper_offset = meta.ip_offset + upper->offset_bytes;
  if (!upper->is_fragment) return;
  meta.fragment = upper->is_first_fragment ? FragmentRole::first : FragmentRole::later;
  if (meta.fragment == FragmentRole::later) meta.upper_offset = 0;
}

PacketMeta meta_of(const proto::Ipv6Packet& ipv6, std::size_t ip_offset) noexcept {
  PacketMeta meta{.size_bytes = ipv6.bytes.size(),
                  .ip_header_bytes = proto::kIpv6HeaderBytes,
                  .upper_offset = ip_offset + proto::kIpv6HeaderBytes,
                  .protocol_type = proto::kProtocolTypeIpv6,
                  .ip_offset = static_cast<std::uint16_t>(ip_offset),
                  .ds_field = ipv6.traffic_class,
                  .hop_limit = ipv6.hop_limit,
                  .upper_protocol = ipv6.next_header};
  if (meta.upper_protocol != proto::kProtocolTcp && meta.upper_protocol != proto::kProtocolUdp &&
      meta.upper_protocol != proto::kProtocolIcmpv6) {
    walk_extension_headers(meta, ipv6);
  }
  read_transport(meta, ipv6.bytes);
  return meta;
}

FragmentRole fragment_role(const proto::Ipv4Packet& ipv4) noexcept {
  if (ipv4.fragment_offset_bytes != 0) return FragmentRole::later;
  return ipv4.more_fragments ? FragmentRole::first : FragmentRole::whole;
}

PacketMeta meta_of(const proto::Ipv4Packet& ipv4, std::size_t ip_offset) noexcept {
  const FragmentRole fragment = fragment_role(ipv4);
  PacketMeta meta{
      .size_bytes = ipv4.bytes.size(),
      .ip_header_bytes = ipv4.header_bytes,
      .upper_offset = fragment == FragmentRole::later ? 0 : ip_offset + ipv4.header_bytes,
      .identification = ipv4.identification,
      .protocol_type = proto::kProtocolTypeIpv4,
      .ip_offset = static_cast<std::uint16_t>(ip_offset),
      .ds_field = ipv4.tos,
      .hop_limit = ipv4.ttl,
      .upper_protocol = ipv4.protocol,
      .fragment = fragment,
      .may_be_fragmented = !ipv4.dont_fragment};
  read_transport(meta, ipv4.bytes);
  return meta;
}

template <class Packet>
PacketMeta meta_of(const proto::Parsed<Packet>& packet, std::size_t ip_offset) noexcept {
  return packet ? meta_of(*packet, ip_offset) : malformed(packet.error());
}

}  // namespace

PacketMeta classify(Bytes bytes, std::size_t ip_offset) noexcept {
  if (bytes.size() <= ip_offset) return malformed(proto::Malformed::truncated);
  const Bytes ip = bytes.subspan(ip_offset);
  switch (proto::ip_version(ip)) {
    case 6:
      return meta_of(proto::parse_ipv6(ip), ip_offset);
    case 4:
      return meta_of(proto::parse_ipv4(ip), ip_offset);
    default:
      return malformed(proto::Malformed::bad_version);
  }
}

PacketMeta classify_quoted(Bytes bytes) noexcept {
  if (bytes.empty()) return malformed(proto::Malformed::truncated);
  switch (proto::ip_version(bytes)) {
    case 6:
      return meta_of(proto::parse_quoted_ipv6(bytes), 0);
    case 4:
      return meta_of(proto::parse_quoted_ipv4(bytes), 0);
    default:
      return malformed(proto::Malformed::bad_version);
  }
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
