#include "engine/offload/gso.h"

#include <algorithm>
#include <cassert>
#include <cstring>

#include "proto/byte_order.h"
#include "proto/tcp.h"
#include "proto/tcp_fields.h"
#include "proto/udp.h"

namespace culvert {
namespace {

using Bytes = std::span<const std::byte>;
using io::Segmentation;
using proto::load_be16;
using proto::load_be32;
using proto::store_be16;
using proto::store_be32;

/// The complement of a word: adding it removes the word from a ones' complement sum (RFC 1624 3).
proto::ChecksumSum without(std::uint16_t word) noexcept {
  return proto::sum_of_word(static_cast<std::uint16_t>(~word));
}
proto::ChecksumSum without(std::uint32_t two_words) noexcept {
  return without(static_cast<std::uint16_t>(two_words >> 16)) +
         without(static_cast<std::uint16_t>(two_words));
}
proto::ChecksumSum sum_of_words(std::uint32_t two_words) noexcept {
  return proto::sum_of_word(static_cast<std::uint16_t>(two_words >> 16)) +
         proto::sum_of_word(static_cast<std::uint16_t>(two_words));
}

/// The end of the transport header at `offset`; nullopt: not within the packet.
std::optional<std::size_t> transport_end(Bytes packet, std::size_t offset, bool is_tcp) noexcept {
  const std::size_t least = is_tcp ? proto::kTcpHeaderBytes : proto::kUdpHeaderBytes;
  if (packet.size() < offset + least) return std::nullopt;
  if (!is_tcp) return offset + least;
  const std::size_t size = proto::tcp_header_bytes(packet.subspan(offset));
  if (size < least || packet.size() < offset + size) return std::nullopt;
  return offset + size;
}

/// Size of the headers in front of each segment's payload, at the transport offset that the offload
/// names. nullopt: not a super-packet, or not within the packet.
std::optional<std::size_t> offload_header_bytes(const io::Packet& packet) noexcept {
  const auto& offload = packet.offload;
  if (!offload.is_super_packet() || offload.segment_bytes == 0) return std::nullopt;
  return transport_end(packet.bytes(), offload.checksum_start,
                       offload.segmentation != Segmentation::udp);
}

std::size_t count_segments(std::size_t payload_bytes, std::size_t segment_bytes) noexcept {
  return std::max<std::size_t>(1, (payload_bytes + segment_bytes - 1) / segment_bytes);
}

}  // namespace

std::optional<Gso> Gso::start(Bytes packet, const io::Offload& offload,
                              const PacketMeta& meta) noexcept {
  if (!offload.is_super_packet() || offload.segment_bytes == 0) return std::nullopt;
  if (!meta.has_ip_header() || meta.is_fragment() || meta.end_offset() != packet.size())
    return std::nullopt;
  const bool is_tcp = offload.segmentation != Segmentation::udp;
  if (is_tcp && meta.is_ipv6() != (offload.segmentation == Segmentation::tcp6)) {
    return std::nullopt;
  }
  if (meta.upper_protocol != (is_tcp ? proto::kProtocolTcp : proto::kProtocolUdp)) {
    return std::nullopt;
  }
  // The checksum field must hold the pseudo-header's sum: only that sum is right if a routing
  // header makes the final destination differ from the IPv6 header's destination (RFC 8200 8.1).
  if (!offload.needs_checksum || offload.checksum_start != meta.upper_offset ||
      offload.checksum_offset != (is_tcp ? proto::kTcpChecksumOffset : proto::kUdpChecksumOffset)) {
    return std::nullopt;
  }
  if (meta.payload_offset == 0 || meta.payload_offset > kMaxInnerHeaderBytes) return std::nullopt;

  Gso gso;
  gso.packet_ = packet;
  gso.header_bytes_ = meta.payload_offset;
  gso.segment_bytes_ = offload.segment_bytes;
  gso.segment_count_ = count_segments(packet.size() - meta.payload_offset, offload.segment_bytes);
  gso.ip_offset_ = meta.ip_offset;
  gso.transport_offset_ = meta.upper_offset;
  gso.is_ipv4_ = !meta.is_ipv6();
  gso.is_tcp_ = is_tcp;
  gso.sum_headers();
  return gso;
}

/// Sums the headers without the words that differ between segments.
void Gso::sum_headers() noexcept {
  if (is_ipv4_) {
    const Bytes ip = packet_.subspan(ip_offset_, transport_offset_ - ip_offset_);
    identification_ = load_be16(ip, proto::kIpv4IdentificationOffset);
    ip_sum_ = proto::sum(ip) + without(load_be16(ip, proto::kIpv4TotalLengthOffset)) +
              without(identification_) + without(load_be16(ip, proto::kIpv4ChecksumOffset));
  }
  const Bytes header = packet_.subspan(transport_offset_, header_bytes_ - transport_offset_);
  const auto super_bytes = static_cast<std::uint32_t>(packet_.size() - transport_offset_);
  transport_sum_ = proto::sum(header) + without(super_bytes);
  if (is_tcp_) {
    sequence_ = load_be32(header, proto::kTcpSequenceOffset);
    transport_sum_ +=
        without(sequence_) + without(load_be16(header, proto::kTcpHeaderLengthOffset));
  } else {
    transport_sum_ += without(load_be16(header, proto::kUdpLengthOffset));
  }
}

std::size_t Gso::largest_frame_bytes() const noexcept {
  return header_bytes_ + std::min(segment_bytes_, packet_.size() - header_bytes_);
}

std::span<const std::byte> Gso::next(std::span<std::byte> headers) noexcept {
  assert(headers.size() >= header_bytes_);
  const Bytes rest = packet_.subspan(header_bytes_ + done_bytes_);
  const Bytes payload = rest.first(std::min(segment_bytes_, rest.size()));
  const bool first = done_bytes_ == 0;
  const bool last = payload.size() == rest.size();
  std::memcpy(headers.data(), packet_.data(), header_bytes_);
  write_ip_header(headers.subspan(ip_offset_), header_bytes_ - ip_offset_ + payload.size());
  const auto transport = headers.subspan(transport_offset_, header_bytes_ - transport_offset_);
  if (is_tcp_) {
    write_tcp_header(transport, payload, first, last);
  } else {
    write_udp_header(transport, payload);
  }
  done_bytes_ += payload.size();
  return payload;
}

void Gso::write_ip_header(std::span<std::byte> header, std::size_t packet_bytes) noexcept {
  const auto bytes = static_cast<std::uint16_t>(packet_bytes);
  if (!is_ipv4_) {
    store_be16(header, proto::kIpv6PayloadLengthOffset,
               static_cast<std::uint16_t>(bytes - proto::kIpv6HeaderBytes));
    return;
  }
  store_be16(header, proto::kIpv4TotalLengthOffset, bytes);
  store_be16(header, proto::kIpv4IdentificationOffset, identification_);
  proto::store(
      header, proto::kIpv4ChecksumOffset,
      proto::finish(ip_sum_ + proto::sum_of_word(bytes) + proto::sum_of_word(identification_)));
  ++identification_;
}

void Gso::write_tcp_header(std::span<std::byte> header, Bytes payload, bool first,
                           bool last) noexcept {
  std::uint16_t flags = load_be16(header, proto::kTcpHeaderLengthOffset);
  if (!last) flags = static_cast<std::uint16_t>(flags & ~(proto::kTcpFin | proto::kTcpPsh));
  if (!first) flags = static_cast<std::uint16_t>(flags & ~proto::kTcpCwr);  // RFC 3168 6.1.2
  store_be32(header, proto::kTcpSequenceOffset, sequence_);
  store_be16(header, proto::kTcpHeaderLengthOffset, flags);
  const auto bytes = static_cast<std::uint16_t>(header.size() + payload.size());
  proto::store(header, proto::kTcpChecksumOffset,
               proto::finish(transport_sum_ + proto::sum_of_word(bytes) + sum_of_words(sequence_) +
                             proto::sum_of_word(flags) + proto::sum(payload)));
  sequence_ += static_cast<std::uint32_t>(payload.size());
}

void Gso::write_udp_header(std::span<std::byte> header, Bytes payload) noexcept {
  const auto bytes = static_cast<std::uint16_t>(header.size() + payload.size());
  store_be16(header, proto::kUdpLengthOffset, bytes);
  // The length counts twice: in the pseudo-header and in the header. A sum of 0 is sent as 0xffff,
  // because 0 means that there is no checksum (RFC 768).
  auto checksum = proto::finish(transport_sum_ + proto::sum_of_word(bytes) +
                                proto::sum_of_word(bytes) + proto::sum(payload));
  if (checksum.wire() == 0) checksum = proto::Be16::from_wire(0xffff);
  proto::store(header, proto::kUdpChecksumOffset, checksum);
}

std::uint32_t packet_count(const io::Packet& packet) noexcept {
  const auto header_bytes = offload_header_bytes(packet);
  if (!header_bytes) return 1;
  return static_cast<std::uint32_t>(
      count_segments(packet.size() - *header_bytes, packet.offload.segment_bytes));
}

std::uint32_t packet_bytes(const io::Packet& packet) noexcept {
  const auto header_bytes = offload_header_bytes(packet);
  const auto size = static_cast<std::uint32_t>(packet.size());
  if (!header_bytes) return size;
  return size + (packet_count(packet) - 1) * static_cast<std::uint32_t>(*header_bytes);
}

bool complete_checksum(io::Packet& packet) noexcept {
  const std::size_t start = packet.offload.checksum_start;
  const std::size_t offset = packet.offload.checksum_offset;
  const auto bytes = packet.bytes();
  if (start + offset + sizeof(proto::Be16) > bytes.size()) return false;
  const auto covered = bytes.subspan(start);
  auto checksum = proto::finish(proto::sum(covered));
  const bool is_udp = offset == proto::kUdpChecksumOffset;
  if (is_udp && checksum.wire() == 0) checksum = proto::Be16::from_wire(0xffff);  // RFC 768
  proto::store(covered, offset, checksum);
  packet.offload.needs_checksum = false;
  return true;
}

}  // namespace culvert
