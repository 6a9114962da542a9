#include "engine/offload/gro_repair.h"

#include "proto/checksum.h"
#include "proto/tcp.h"
#include "proto/tcp_fields.h"
#include "proto/udp.h"

namespace culvert {

GroRepair repair_gro(io::Packet& packet, const PacketMeta& meta, std::uint16_t mtu_bytes) noexcept {
  const bool is_tcp = meta.upper_protocol == proto::kProtocolTcp;
  const bool is_udp = meta.upper_protocol == proto::kProtocolUdp;
  if ((!is_tcp && !is_udp) || meta.upper_offset == 0 || meta.is_fragment())
    return GroRepair::intact;
  const std::span<const std::byte> bytes = packet.bytes();
  const auto segment = bytes.subspan(meta.upper_offset);
  const std::size_t field = is_tcp ? proto::kTcpChecksumOffset : proto::kUdpChecksumOffset;
  if (segment.size() < (is_tcp ? proto::kTcpHeaderBytes : proto::kUdpHeaderBytes))
    return GroRepair::intact;

  const auto pseudo = proto::pseudo_header_sum(meta.ip_bytes(bytes), meta.is_ipv6(),
                                               meta.upper_protocol, segment.size());
  const bool is_partial = proto::load<proto::Be16>(segment, field) == proto::fold(pseudo);
  const bool is_large = packet.size() - meta.ip_offset > mtu_bytes;
  if (!is_partial) {
    const bool is_whole = !is_large || proto::verifies(pseudo + proto::sum(segment));
    return is_whole ? GroRepair::intact : GroRepair::unrepairable;
  }
  packet.offload.needs_checksum = true;
  packet.offload.checksum_start = static_cast<std::uint16_t>(meta.upper_offset);
  packet.offload.checksum_offset = static_cast<std::uint16_t>(field);
  if (!is_large) return GroRepair::repaired;

  if (!is_tcp || meta.payload_offset == 0) return GroRepair::unrepairable;
  const std::size_t headers = meta.payload_offset - meta.ip_offset;
  if (headers >= mtu_bytes) return GroRepair::unrepairable;
  packet.offload.segmentation = meta.is_ipv6() ? io::Segmentation::tcp6 : io::Segmentation::tcp4;
  packet.offload.header_bytes = static_cast<std::uint16_t>(meta.payload_offset);
  packet.offload.segment_bytes = static_cast<std::uint16_t>(mtu_bytes - headers);
  return GroRepair::repaired;
}

}  // namespace culvert
