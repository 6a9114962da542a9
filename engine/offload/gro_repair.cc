#include "engine/offload/gro_repair.h"

#include "proto/checksum.h"
#include "proto/tcp.h"
#include "proto/tcp_fields.h"
#include "proto/udp.h"

namespace culvert {
namespace {

proto::ChecksumSum pseudo_header_sum(const PacketMeta& inner, std::span<const std::byte> bytes,
                                     std::size_t segment_bytes) noexcept {
  const auto length = static_cast<std::uint32_t>(segment_bytes);
  if (inner.is_ipv6()) {
    return proto::pseudo_header_sum(proto::ipv6_source(bytes), proto::ipv6_destination(bytes),
                                    inner.upper_protocol, length);
  }
  return proto::pseudo_header_sum(proto::ipv4_source(bytes), proto::ipv4_destination(bytes),
                                  inner.upper_protocol, length);
}

}  // namespace

GroRepair repair_gro(io::Packet& packet, const PacketMeta& inner,
                     std::uint16_t mtu_bytes) noexcept {
  const bool is_tcp = inner.upper_protocol == proto::kProtocolTcp;
  const bool is_udp = inner.upper_protocol == proto::kProtocolUdp;
  if ((!is_tcp && !is_udp) || inner.upper_offset == 0 || inner.is_fragment)
    return GroRepair::intact;
  const auto segment = std::span<const std::byte>{packet.bytes()}.subspan(inner.upper_offset);
  const std::size_t field = is_tcp ? proto::kTcpChecksumOffset : proto::kUdpChecksumOffset;
  if (segment.size() < (is_tcp ? proto::kTcpHeaderBytes : proto::kUdpHeaderBytes))
    return GroRepair::intact;

  const auto pseudo = pseudo_header_sum(inner, packet.bytes(), segment.size());
  const bool is_partial = proto::load<proto::Be16>(segment, field) == proto::fold(pseudo);
  const bool is_large = packet.size() > mtu_bytes;
  if (!is_partial) {
    const bool is_whole = !is_large || proto::verifies(pseudo + proto::sum(segment));
    return is_whole ? GroRepair::intact : GroRepair::unrepairable;
  }
  packet.offload.needs_checksum = true;
  packet.offload.checksum_start = static_cast<std::uint16_t>(inner.upper_offset);
  packet.offload.checksum_offset = static_cast<std::uint16_t>(field);
  if (!is_large) return GroRepair::repaired;

  const auto tcp = proto::parse_tcp(segment);
  const std::size_t headers = inner.upper_offset + (tcp ? tcp->header_bytes : 0u);
  if (!is_tcp || !tcp || headers >= mtu_bytes) return GroRepair::unrepairable;
  packet.offload.segmentation = inner.is_ipv6() ? io::Segmentation::tcp6 : io::Segmentation::tcp4;
  packet.offload.header_bytes = static_cast<std::uint16_t>(headers);
  packet.offload.segment_bytes = static_cast<std::uint16_t>(mtu_bytes - headers);
  return GroRepair::repaired;
}

}  // namespace culvert
