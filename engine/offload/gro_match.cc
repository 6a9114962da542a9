#include "engine/offload/gro_match.h"

#include "proto/byte_order.h"
#include "proto/ipv4.h"
#include "proto/ipv6.h"
#include "proto/tcp.h"
#include "proto/tcp_fields.h"
#include "proto/udp.h"

namespace culvert::gro_match {
namespace {

using Bytes = std::span<const std::byte>;
using proto::load;
using proto::load_be16;
using proto::load_u8;

/// The product of a word of the key with an odd constant. The products do not depend on each other,
/// and all are added.
template <std::size_t kIndex>
std::uint64_t product(Bytes key) noexcept {
  constexpr std::uint64_t kOdd[] = {0x9e37'79b9'7f4a'7c15, 0xbf58'476d'1ce4'e5b9,
                                    0x94d0'49bb'1331'11eb, 0xd6e8'feb8'6659'fd93};
  const auto word = load<std::uint64_t>(key, kIndex * 8);
  return (word ^ word >> 29) * kOdd[kIndex];
}

/// Needs no secret: an attacker who makes flows collide only prevents GRO.
std::uint32_t hash_of_flow(const Segment& segment) noexcept {
  constexpr std::uint64_t kOdd = 0xff51'afd7'ed55'8ccd;
  const Bytes key = segment.flow_key();
  const std::uint64_t ports = load<std::uint32_t>(key, key.size() - proto::kPortsBytes);
  std::uint64_t hash = (ports + segment.is_tcp) * kOdd + product<0>(key);
  if (segment.is_ipv6) hash += product<1>(key) + product<2>(key) + product<3>(key);
  hash ^= hash >> 32;  // a product's high bits depend on all bits, its low bits on few
  return static_cast<std::uint32_t>(hash * kOdd >> 32);
}

/// The flow is known if the ports are adjacent to the addresses: Segment::flow_key() compares both
/// at once.
Kind kind_of(const PacketMeta& meta) noexcept {
  const std::size_t fixed_bytes =
      meta.is_ipv6() ? proto::kIpv6HeaderBytes : proto::kIpv4HeaderBytes;
  if (meta.is_fragment() || meta.upper_offset != meta.ip_offset + fixed_bytes) return Kind::hidden;
  const auto icmp = meta.is_ipv6() ? proto::kProtocolIcmpv6 : proto::kProtocolIcmp;
  if (meta.upper_protocol == icmp) return Kind::other;
  const bool is_tcp_or_udp =
      meta.upper_protocol == proto::kProtocolTcp || meta.upper_protocol == proto::kProtocolUdp;
  return is_tcp_or_udp && meta.has_ports ? Kind::flow : Kind::hidden;
}

/// Returns whether a TCP segment may be joined: it has data, no flags except ACK and PSH, and
/// reserved bits 0.
bool is_joinable_tcp(const PacketMeta& meta, Bytes segment) noexcept {
  const unsigned offset_and_reserved = load_u8(segment, proto::kTcpHeaderLengthOffset);
  return (offset_and_reserved & 0xf) == 0 &&
         (meta.tcp_flags & ~unsigned{proto::kTcpPsh}) == proto::kTcpAck;
}

/// The same for UDP: it has data, the length of the IP payload, and a checksum.
bool is_joinable_udp(Bytes datagram) noexcept {
  return load_be16(datagram, proto::kUdpLengthOffset) == datagram.size() &&
         load<std::uint16_t>(datagram, proto::kUdpChecksumOffset) != 0;
}

std::size_t checksum_offset(bool is_tcp) noexcept {
  return is_tcp ? proto::kTcpChecksumOffset : proto::kUdpChecksumOffset;
}

/// Sets header_bytes and payload_bytes if the packet may be joined to others of its flow. `ip`: the
/// packet from its IP header on.
void find_payload(Segment& segment, Bytes ip, const io::Offload& offload,
                  const PacketMeta& meta) noexcept {
  if (meta.size_bytes != ip.size() || offload.is_super_packet()) return;
  const bool is_partial = offload.needs_checksum;
  if (is_partial && (offload.checksum_start != meta.upper_offset ||
                     offload.checksum_offset != checksum_offset(segment.is_tcp))) {
    return;
  }
  if (meta.payload_offset == 0) return;
  const std::size_t header_bytes = meta.payload_offset - meta.ip_offset;
  if (header_bytes == ip.size()) return;
  const Bytes transport = ip.subspan(segment.ip_bytes);
  if (!(segment.is_tcp ? is_joinable_tcp(meta, transport) : is_joinable_udp(transport))) return;
  segment.header_bytes = static_cast<std::uint16_t>(header_bytes);
  segment.payload_bytes = static_cast<std::uint32_t>(ip.size() - header_bytes);
  segment.has_trusted_checksum = is_partial || offload.checksum_verified;
}

proto::ChecksumSum pseudo_header_sum(const Segment& segment, std::size_t transport_bytes) noexcept {
  const auto protocol = segment.is_tcp ? proto::kProtocolTcp : proto::kProtocolUdp;
  return proto::pseudo_header_sum(segment.bytes(), segment.is_ipv6, protocol, transport_bytes);
}

Bytes options(const Segment& segment) noexcept {
  const std::size_t offset = segment.ip_bytes + proto::kTcpHeaderBytes;
  return segment.bytes().subspan(offset, segment.header_bytes - offset);
}

}  // namespace

Kind read_segment(Segment& segment, io::Packet& packet, const PacketMeta& meta, bool may_join,
                  bool joins_udp) noexcept {
  const Kind kind = kind_of(meta);
  if (kind != Kind::flow) return kind;
  const auto ip = meta.ip_bytes(packet.bytes());
  segment.packet = ip.data();
  segment.is_ipv6 = meta.is_ipv6();
  segment.is_tcp = meta.upper_protocol == proto::kProtocolTcp;
  segment.link_bytes = static_cast<std::uint8_t>(meta.ip_offset);
  segment.ip_bytes = static_cast<std::uint16_t>(meta.upper_offset - meta.ip_offset);
  segment.hash = hash_of_flow(segment);
  if (may_join && (segment.is_tcp || joins_udp)) find_payload(segment, ip, packet.offload, meta);
  return kind;
}

bool has_same_headers(const Segment& first, const Segment& next, std::uint32_t position) noexcept {
  const Bytes a = first.bytes();
  const Bytes b = next.bytes();
  if (first.header_bytes != next.header_bytes) return false;
  if (first.link_bytes != 0 && !is_equal(first.link_header(), next.link_header())) return false;
  const auto differ = [&](auto word, std::size_t offset) {
    return load<decltype(word)>(a, offset) != load<decltype(word)>(b, offset);
  };
  if (first.is_ipv6) {  // version, traffic class, flow label; next header, hop limit
    if (differ(std::uint32_t{}, proto::kIpVersionOffset) ||
        differ(std::uint16_t{}, proto::kIpv6NextHeaderOffset))
      return false;
  } else {  // version, IHL, TOS; flags; TTL, protocol
    if (differ(std::uint16_t{}, proto::kIpVersionOffset) ||
        differ(std::uint16_t{}, proto::kIpv4FragmentOffset) ||
        differ(std::uint16_t{}, proto::kIpv4TtlOffset)) {
      return false;
    }
    // The identification of a packet with DF means nothing (RFC 6864 4.1).
    const bool dont_fragment =
        (load_be16(b, proto::kIpv4FragmentOffset) & proto::kIpv4DontFragment) != 0;
    const auto expected =
        static_cast<std::uint16_t>(load_be16(a, proto::kIpv4IdentificationOffset) + position);
    if (!dont_fragment && load_be16(b, proto::kIpv4IdentificationOffset) != expected) return false;
  }
  if (!first.is_tcp) return true;
  const std::size_t tcp = first.ip_bytes;
  return !differ(std::uint32_t{}, tcp + proto::kTcpAcknowledgmentOffset) &&
         !differ(std::uint16_t{}, tcp + proto::kTcpWindowOffset) &&
         !differ(std::uint16_t{}, tcp + proto::kTcpUrgentPointerOffset) &&
         is_equal(options(first), options(next));
}

bool has_push(const Segment& segment) noexcept {
  return segment.is_tcp &&
         (load_u8(segment.transport(), proto::kTcpFlagsOffset) & proto::kTcpPsh) != 0;
}

std::uint32_t tcp_sequence(const Segment& segment) noexcept {
  return proto::load_be32(segment.transport(), proto::kTcpSequenceOffset);
}

bool is_intact(const Segment& segment) noexcept {
  if (segment.has_trusted_checksum) return true;
  const Bytes transport = segment.transport();
  return verifies(pseudo_header_sum(segment, transport.size()) + proto::sum(transport));
}

io::Offload make_super_packet(const Segment& first, std::uint32_t size, bool has_push) noexcept {
  const std::span<std::byte> headers{first.packet, first.header_bytes};
  const auto transport = headers.subspan(first.ip_bytes);
  const std::size_t transport_bytes = size - first.ip_bytes;
  if (first.is_ipv6) {
    proto::set_ipv6_payload_bytes(headers, static_cast<std::uint16_t>(transport_bytes));
  } else {
    proto::set_ipv4_total_bytes(headers, static_cast<std::uint16_t>(size));
  }
  if (!first.is_tcp) {
    proto::store_be16(transport, 4, static_cast<std::uint16_t>(transport_bytes));
  } else if (has_push) {
    transport[proto::kTcpFlagsOffset] |= std::byte{proto::kTcpPsh};
  }
  proto::store(transport, checksum_offset(first.is_tcp),
               proto::fold(pseudo_header_sum(first, transport_bytes)));
  const auto tcp = first.is_ipv6 ? io::Segmentation::tcp6 : io::Segmentation::tcp4;
  return {.needs_checksum = true,
          .checksum_start = static_cast<std::uint16_t>(first.link_bytes + first.ip_bytes),
          .checksum_offset = static_cast<std::uint16_t>(checksum_offset(first.is_tcp)),
          .segmentation = first.is_tcp ? tcp : io::Segmentation::udp,
          .segment_bytes = static_cast<std::uint16_t>(first.payload_bytes),
          .header_bytes = static_cast<std::uint16_t>(first.link_bytes + first.header_bytes)};
}

}  // namespace culvert::gro_match
