#include "engine/model/packet_meta.h"

#include "proto/tcp.h"
#include "proto/tcp_fields.h"

namespace culvert {
namespace {

proto::Parsed<PacketMeta> classify_ipv6(std::span<const std::byte> bytes) noexcept {
  const auto ipv6 = proto::parse_ipv6(bytes);
  if (!ipv6) return Unexpected{ipv6.error()};
  PacketMeta inner{.size_bytes = ipv6->bytes.size(),
                   .ip_header_bytes = proto::kIpv6HeaderBytes,
                   .upper_offset = proto::kIpv6HeaderBytes,
                   .protocol_type = proto::kProtocolTypeIpv6,
                   .ds_field = ipv6->traffic_class,
                   .hop_limit = ipv6->hop_limit,
                   .upper_protocol = ipv6->next_header};
  if (ipv6->next_header == proto::kProtocolTcp || ipv6->next_header == proto::kProtocolUdp ||
      ipv6->next_header == proto::kProtocolIcmpv6) {
    return inner;
  }
  const auto upper = proto::find_upper_layer(*ipv6);
  inner.upper_protocol = upper ? upper->protocol : inner.upper_protocol;
  inner.is_fragment = upper && upper->is_fragment;
  const bool is_here = upper && (!upper->is_fragment || upper->is_first_fragment);
  inner.upper_offset = is_here ? upper->offset_bytes : 0;
  return inner;
}

proto::Parsed<PacketMeta> classify_ipv4(std::span<const std::byte> bytes) noexcept {
  const auto ipv4 = proto::parse_ipv4(bytes);
  if (!ipv4) return Unexpected{ipv4.error()};
  return PacketMeta{
      .size_bytes = ipv4->bytes.size(),
      .ip_header_bytes = ipv4->header_bytes,
      .upper_offset = ipv4->fragment_offset_bytes == 0 ? ipv4->header_bytes : std::size_t{0},
      .protocol_type = proto::kProtocolTypeIpv4,
      .ds_field = ipv4->tos,
      .hop_limit = ipv4->ttl,
      .upper_protocol = ipv4->protocol,
      .may_be_fragmented = !ipv4->dont_fragment,
      .is_fragment = ipv4->is_fragment()};
}

}  // namespace

proto::Parsed<PacketMeta> classify(std::span<const std::byte> bytes) noexcept {
  if (bytes.empty()) return Unexpected{proto::Malformed::truncated};
  switch (proto::ip_version(bytes)) {
    case 6:
      return classify_ipv6(bytes);
    case 4:
      return classify_ipv4(bytes);
    default:
      return Unexpected{proto::Malformed::bad_version};
  }
}

bool is_permitted_source(const PacketMeta& inner, std::span<const std::byte> bytes) noexcept {
  if (inner.is_ipv6()) {
    const auto source = proto::ipv6_source(bytes);
    return !source.is_multicast() &&
           (source.is_unspecified() || !source.is_ipv4_compatible_or_mapped());
  }
  const auto source = proto::ipv4_source(bytes);
  const bool is_this_network = source.host() >> 24 == 0 && !source.is_unspecified();
  return !source.is_multicast() && !source.is_reserved() && !source.is_loopback() &&
         !is_this_network;
}

void clamp_to_mtu(const PacketMeta& inner, std::span<std::byte> bytes, std::uint16_t mtu_bytes,
                  bool checksum_is_partial) noexcept {
  if (inner.upper_protocol != proto::kProtocolTcp || inner.upper_offset == 0 || inner.is_fragment)
    return;
  if (inner.size_bytes < inner.upper_offset + proto::kTcpHeaderBytes) return;
  if ((proto::load_u8(bytes, inner.upper_offset + proto::kTcpFlagsOffset) & proto::kTcpSyn) == 0)
    return;
  // RFC 9293 3.7.1: the MSS counts neither IP nor TCP options, so it is the MTU less the fixed
  // headers.
  const std::size_t fixed = (inner.is_ipv6() ? proto::kIpv6HeaderBytes : proto::kIpv4HeaderBytes) +
                            proto::kTcpHeaderBytes;
  const auto segment = bytes.subspan(inner.upper_offset, inner.size_bytes - inner.upper_offset);
  proto::clamp_mss(segment, static_cast<std::uint16_t>(mtu_bytes - fixed), checksum_is_partial);
}

void set_inner_ds_field(const PacketMeta& inner, std::span<std::byte> bytes,
                        std::uint8_t ds_field) noexcept {
  if (inner.is_ipv6()) {
    proto::set_ipv6_traffic_class(bytes, ds_field);
  } else {
    proto::set_ipv4_tos(bytes, ds_field);
  }
}

}  // namespace culvert
