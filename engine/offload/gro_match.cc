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

/// Finds the transport header and returns whether its ports can be read there.
Kind find_transport(Segment& segment, Bytes packet) noexcept {
  if (packet.size() < proto::kIpv4HeaderBytes) return Kind::hidden;
  std::uint8_t protocol = 0;
  if (proto::ip_version(packet) == 6) {
    if (packet.size() < proto::kIpv6HeaderBytes) return Kind::hidden;
    segment.is_ipv6 = true;
    segment.ip_bytes = proto::kIpv6HeaderBytes;
    protocol = load_u8(packet, proto::kIpv6NextHeaderOffset);
  } else {
    constexpr std::uint16_t kFragmentMask = 0x3fff;  // MF and the offset: RFC 791 3.1
    const bool is_plain = load_u8(packet, proto::kIpVersionOffset) == 0x45 &&
                          (load_be16(packet, proto::kIpv4FragmentOffset) & kFragmentMask) == 0;
    if (!is_plain) return Kind::hidden;
    segment.ip_bytes = proto::kIpv4HeaderBytes;
    protocol = load_u8(packet, proto::kIpv4ProtocolOffset);
  }
  if (protocol == (segment.is_ipv6 ? proto::kProtocolIcmpv6 : proto::kProtocolIcmp)) {
    return Kind::other;
  }
  segment.is_tcp = protocol == proto::kProtocolTcp;
  if (!segment.is_tcp && protocol != proto::kProtocolUdp) return Kind::hidden;
  return packet.size() < segment.ip_bytes + proto::kPortsBytes ? Kind::hidden : Kind::flow;
}

/// Returns the size of the TCP header if the segment may be joined: it has data, no flags except
/// ACK and PSH, and reserved bits 0. Otherwise 0.
std::size_t joinable_tcp_header_bytes(Bytes segment) noexcept {
  if (segment.size() <= proto::kTcpHeaderBytes) return 0;
  const unsigned offset_and_reserved = load_u8(segment, proto::kTcpHeaderLengthOffset);
  const std::size_t size = std::size_t{offset_and_reserved >> 4} << 2;
  const bool has_reserved_bits = (offset_and_reserved & 0xf) != 0;
  if (size < proto::kTcpHeaderBytes || size >= segment.size() || has_reserved_bits) return 0;
  const unsigned flags = load_u8(segment, proto::kTcpFlagsOffset);
  return (flags & ~unsigned{proto::kTcpPsh}) == proto::kTcpAck ? size : 0;
}

/// The same for UDP: it has data, the length of the IP payload, and a checksum.
std::size_t joinable_udp_header_bytes(Bytes datagram) noexcept {
  if (datagram.size() <= proto::kUdpHeaderBytes) return 0;
  if (load_be16(datagram, proto::kUdpLengthOffset) != datagram.size()) return 0;
  return load<std::uint16_t>(datagram, proto::kUdpChecksumOffset) == 0 ? 0 : proto::kUdpHeaderBytes;
}

std::size_t checksum_offset(bool is_tcp) noexcept {
  return is_tcp ? proto::kTcpChecksumOffset : proto::kUdpChecksumOffset;
}

/// Sets header_bytes if the packet may be joined to others of its flow.
void find_payload(Segment& segment, const io::Packet& packet) noexcept {
  const Bytes bytes = packet.bytes();
  const auto& offload = packet.offload;
  const std::size_t stated_bytes =
      segment.is_ipv6 ? proto::kIpv6HeaderBytes + load_be16(bytes, proto::kIpv6PayloadLengthOffset)
                      : load_be16(bytes, proto::kIpv4TotalLengthOffset);
  if (stated_bytes != bytes.size() || offload.is_super_packet()) return;
  const bool is_partial = offload.needs_checksum;
  if (is_partial && (offload.checksum_start != segment.ip_bytes ||
                     offload.checksum_offset != checksum_offset(segment.is_tcp))) {
    return;
  }
  const Bytes transport = bytes.subspan(segment.ip_bytes);
  const std::size_t size =
      segment.is_tcp ? joinable_tcp_header_bytes(transport) : joinable_udp_header_bytes(transport);
  if (size == 0) return;
  segment.header_bytes = static_cast<std::uint16_t>(segment.ip_bytes + size);
  segment.payload_bytes = static_cast<std::uint32_t>(bytes.size() - segment.header_bytes);
  segment.has_trusted_checksum = is_partial || offload.checksum_verified;
}

proto::ChecksumSum pseudo_header_sum(const Segment& segment, std::size_t transport_bytes) noexcept {
  const Bytes packet = segment.bytes();
  const auto size = static_cast<std::uint32_t>(transport_bytes);
  const auto protocol = segment.is_tcp ? proto::kProtocolTcp : proto::kProtocolUdp;
  if (segment.is_ipv6) {
    return proto::pseudo_header_sum(proto::ipv6_source(packet), proto::ipv6_destination(packet),
                                    protocol, size);
  }
  return proto::pseudo_header_sum(proto::ipv4_source(packet), proto::ipv4_destination(packet),
                                  protocol, size);
}

Bytes options(const Segment& segment) noexcept {
  const std::size_t offset = segment.ip_bytes + proto::kTcpHeaderBytes;
  return segment.bytes().subspan(offset, segment.header_bytes - offset);
}

}  // namespace

Kind read_segment(Segment& segment, io::Packet& packet, bool may_join, bool joins_udp) noexcept {
  segment.packet = packet.bytes().data();
  const Kind kind = find_transport(segment, packet.bytes());
  if (kind != Kind::flow) return kind;
  segment.hash = hash_of_flow(segment);
  if (may_join && (segment.is_tcp || joins_udp)) find_payload(segment, packet);
  return kind;
}

bool has_same_headers(const Segment& first, const Segment& next, std::uint32_t position) noexcept {
  const Bytes a = first.bytes();
  const Bytes b = next.bytes();
  if (first.header_bytes != next.header_bytes) return false;
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
  if (!segment.is_ipv6 && !verifies(proto::sum(segment.bytes().first(segment.ip_bytes)))) {
    return false;
  }
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
          .checksum_start = first.ip_bytes,
          .checksum_offset = static_cast<std::uint16_t>(checksum_offset(first.is_tcp)),
          .segmentation = first.is_tcp ? tcp : io::Segmentation::udp,
          .segment_bytes = static_cast<std::uint16_t>(first.payload_bytes),
          .header_bytes = first.header_bytes};
}

}  // namespace culvert::gro_match
