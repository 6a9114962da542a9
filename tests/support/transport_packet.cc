#include "tests/support/transport_packet.h"

#include <algorithm>

#include "tests/support/packet_builder.h"

namespace culvert::test {
namespace {

constexpr unsigned kTcp = 6, kUdp = 17, kDestinationOptions = 60;

unsigned at(std::span<const std::byte> bytes, std::size_t offset) {
  return std::to_integer<unsigned>(bytes[offset]);
}
unsigned word_at(std::span<const std::byte> bytes, std::size_t offset) {
  return at(bytes, offset) << 8 | at(bytes, offset + 1);
}
void put16(Bytes& bytes, std::size_t offset, std::size_t value) {
  bytes[offset] = std::byte(value >> 8);
  bytes[offset + 1] = std::byte(value);
}
void append8(Bytes& bytes, std::size_t value) { bytes.push_back(std::byte(value)); }
void append16(Bytes& bytes, std::size_t value) {
  append8(bytes, value >> 8);
  append8(bytes, value);
}
void append32(Bytes& bytes, std::size_t value) {
  append16(bytes, value >> 16);
  append16(bytes, value);
}
void append(Bytes& bytes, std::span<const std::byte> more) {
  bytes.insert(bytes.end(), more.begin(), more.end());
}

std::uint16_t complement(std::uint16_t word) { return static_cast<std::uint16_t>(~word); }

bool is_ipv6(std::span<const std::byte> packet) { return at(packet, 0) >> 4 == 6; }

/// The pseudo-header of a packet whose transport part has `size` bytes (RFC 9293 3.1, RFC
/// 8200 8.1).
Bytes pseudo_header(std::span<const std::byte> packet, unsigned protocol, std::size_t size) {
  Bytes pseudo;
  append(pseudo, is_ipv6(packet) ? packet.subspan(8, 32) : packet.subspan(12, 8));
  append32(pseudo, size);
  append32(pseudo, protocol);
  return pseudo;
}

void finish_ipv4(Bytes& packet) {
  if (is_ipv6(packet)) return;
  put16(packet, 10, 0);
  put16(packet, 10, slow_checksum(std::span{packet}.first((at(packet, 0) & 15) * 4)));
}

std::size_t checksum_offset(unsigned protocol) { return protocol == kTcp ? 16 : 6; }

/// Writes the transport checksum of a packet whose transport header begins at `start`.
void finish_transport(Bytes& packet, std::size_t start, unsigned protocol, Checksum kind) {
  const std::size_t field = start + checksum_offset(protocol);
  put16(packet, field, 0);
  Bytes covered = pseudo_header(packet, protocol, packet.size() - start);
  if (kind == Checksum::partial) return put16(packet, field, complement(slow_checksum(covered)));
  append(covered, std::span{packet}.subspan(start));
  std::uint16_t checksum = slow_checksum(covered);
  if (kind == Checksum::bad) checksum = static_cast<std::uint16_t>(checksum ^ 0x0101);
  if (protocol == kUdp && checksum == 0) checksum = 0xffff;  // RFC 768
  put16(packet, field, checksum);
}

Bytes draw_ipv6(const TransportPacket& packet, std::size_t transport_bytes) {
  Bytes bytes;
  append32(bytes, 6u << 28 | unsigned{packet.tos} << 20 | packet.flow_label);
  append16(bytes, packet.extensions.size() + transport_bytes);
  append8(bytes, !packet.extensions.empty() ? kDestinationOptions : packet.is_tcp ? kTcp : kUdp);
  append8(bytes, packet.ttl);
  for (unsigned last = 1; last <= 2; ++last) {  // 2001:db8:0:FLOW::1 and ::2
    append32(bytes, 0x2001'0db8);
    append32(bytes, packet.flow);
    append32(bytes, 0);
    append32(bytes, last);
  }
  append(bytes, packet.extensions);
  return bytes;
}

Bytes draw_ipv4(const TransportPacket& packet, std::size_t transport_bytes) {
  Bytes bytes;
  const std::size_t header_bytes = 20 + packet.ip_options.size();
  append8(bytes, 0x40 | header_bytes / 4);
  append8(bytes, packet.tos);
  append16(bytes, header_bytes + transport_bytes);
  append16(bytes, packet.identification);
  append16(bytes, packet.dont_fragment ? 0x4000 : 0);
  append8(bytes, packet.ttl);
  append8(bytes, packet.is_tcp ? kTcp : kUdp);
  append16(bytes, 0);
  append32(bytes, 0xc000'0200u | packet.flow);  // 192.0.2.FLOW
  append32(bytes, 0xc633'6401u);                // 198.51.100.1
  append(bytes, packet.ip_options);
  return bytes;
}

Bytes draw_transport(const TransportPacket& packet) {
  Bytes bytes;
  append16(bytes, 40000u + packet.flow);
  append16(bytes, 443);
  if (!packet.is_tcp) {
    append16(bytes, 8 + packet.payload.size());
    append16(bytes, 0);
  } else {
    append32(bytes, packet.sequence);
    append32(bytes, packet.acknowledgment);
    append8(bytes, (20 + packet.tcp_options.size()) / 4 << 4 | packet.reserved);
    append8(bytes, packet.flags);
    append16(bytes, packet.window);
    append16(bytes, 0);
    append16(bytes, packet.urgent_pointer);
    append(bytes, packet.tcp_options);
  }
  append(bytes, packet.payload);
  return bytes;
}

std::size_t segment_header_bytes(const Bytes& super_packet, const io::Offload& offload) {
  const std::size_t start = offload.checksum_start;
  return offload.segmentation == io::Segmentation::udp
             ? start + 8
             : start + std::size_t{at(super_packet, start + 12) >> 4} * 4;
}

}  // namespace

std::size_t TransportPacket::ip_header_bytes() const {
  return is_ipv6 ? 40 + extensions.size() : 20 + ip_options.size();
}

std::size_t TransportPacket::header_bytes() const {
  return ip_header_bytes() + (is_tcp ? 20 + tcp_options.size() : 8);
}

Bytes draw(const TransportPacket& packet, Checksum checksum) {
  const Bytes transport = draw_transport(packet);
  Bytes bytes =
      packet.is_ipv6 ? draw_ipv6(packet, transport.size()) : draw_ipv4(packet, transport.size());
  append(bytes, transport);
  finish_ipv4(bytes);
  finish_transport(bytes, packet.ip_header_bytes(), packet.is_tcp ? kTcp : kUdp, checksum);
  return bytes;
}

io::Offload partial_offload(const TransportPacket& packet, std::uint16_t segment_bytes) {
  using enum io::Segmentation;
  io::Offload offload{.needs_checksum = true};
  offload.checksum_start = static_cast<std::uint16_t>(packet.ip_header_bytes());
  offload.checksum_offset = packet.is_tcp ? 16 : 6;
  if (segment_bytes == 0) return offload;
  offload.segmentation = !packet.is_tcp ? udp : packet.is_ipv6 ? tcp6 : tcp4;
  offload.segment_bytes = segment_bytes;
  offload.header_bytes = static_cast<std::uint16_t>(packet.header_bytes());
  return offload;
}

std::uint16_t slow_checksum(std::span<const std::byte> bytes) {
  return complement(slow_sum(bytes));
}

std::vector<Bytes> slow_segment(const Bytes& super_packet, const io::Offload& offload) {
  constexpr unsigned kFin = 0x01, kPsh = 0x08, kCwr = 0x80;
  const std::size_t start = offload.checksum_start;
  const std::size_t header_bytes = segment_header_bytes(super_packet, offload);
  const bool is_udp = offload.segmentation == io::Segmentation::udp;
  std::vector<Bytes> segments;
  std::size_t done = header_bytes;
  do {
    const std::size_t end = std::min(done + offload.segment_bytes, super_packet.size());
    Bytes segment(super_packet.begin(), super_packet.begin() + header_bytes);
    append(segment, std::span{super_packet}.subspan(done, end - done));
    if (is_ipv6(segment)) {
      put16(segment, 4, segment.size() - 40);
    } else {
      put16(segment, 2, segment.size());
      put16(segment, 4, word_at(super_packet, 4) + segments.size());
      finish_ipv4(segment);
    }
    if (is_udp) {
      put16(segment, start + 4, segment.size() - start);
    } else {
      const std::size_t sequence =
          (std::size_t{word_at(segment, start + 4)} << 16 | word_at(segment, start + 6)) + done -
          header_bytes;
      put16(segment, start + 4, sequence >> 16);
      put16(segment, start + 6, sequence);
      unsigned flags = at(segment, start + 13);
      if (end != super_packet.size()) flags &= ~(kFin | kPsh);
      if (!segments.empty()) flags &= ~kCwr;
      segment[start + 13] = std::byte(flags);
    }
    finish_transport(segment, start, is_udp ? kUdp : kTcp, Checksum::complete);
    segments.push_back(std::move(segment));
    done = end;
  } while (done < super_packet.size());
  return segments;
}

void set_partial_checksum(Bytes& packet, const io::Offload& offload) {
  finish_transport(packet, offload.checksum_start,
                   offload.segmentation == io::Segmentation::udp ? kUdp : kTcp, Checksum::partial);
}

}  // namespace culvert::test
