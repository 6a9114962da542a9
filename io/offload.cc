#include "io/offload.h"

#include <cstring>

namespace culvert::io {
namespace {

/// struct virtio_net_hdr. C++ cannot include <linux/virtio_net.h>: it has a field called `class`.
struct VirtioHeader {
  std::uint8_t flags;
  std::uint8_t gso_type;
  std::uint16_t header_bytes;
  std::uint16_t gso_bytes;
  std::uint16_t checksum_start;
  std::uint16_t checksum_offset;
};
static_assert(sizeof(VirtioHeader) == kVirtioHeaderBytes);

constexpr std::uint8_t kNeedsChecksum = 1, kDataValid = 2;  // flags
// gso_type; kGsoUdp is VIRTIO_NET_HDR_GSO_UDP_L4, Linux 6.2
constexpr std::uint8_t kGsoNone = 0, kGsoTcp4 = 1, kGsoTcp6 = 4, kGsoUdp = 5, kGsoEcn = 0x80;

std::optional<Segmentation> segmentation_of(std::uint8_t gso_type) noexcept {
  switch (gso_type) {
    case kGsoNone:
      return Segmentation::none;
    case kGsoTcp4:
      return Segmentation::tcp4;
    case kGsoTcp6:
      return Segmentation::tcp6;
    case kGsoUdp:
      return Segmentation::udp;
    default:
      return std::nullopt;
  }
}

std::uint8_t gso_type_of(Segmentation segmentation) noexcept {
  switch (segmentation) {
    case Segmentation::none:
      break;
    case Segmentation::tcp4:
      return kGsoTcp4;
    case Segmentation::tcp6:
      return kGsoTcp6;
    case Segmentation::udp:
      return kGsoUdp;
  }
  return kGsoNone;
}

}  // namespace

std::optional<Offload> read_virtio_header(
    std::span<const std::byte, kVirtioHeaderBytes> header) noexcept {
  VirtioHeader raw;
  std::memcpy(&raw, header.data(), sizeof raw);
  const auto segmentation = segmentation_of(static_cast<std::uint8_t>(raw.gso_type & ~kGsoEcn));
  if (!segmentation) return std::nullopt;
  if (*segmentation != Segmentation::none && raw.gso_bytes == 0) return std::nullopt;

  Offload offload;
  offload.checksum_verified = (raw.flags & kDataValid) != 0;
  if ((raw.flags & kNeedsChecksum) != 0) {
    offload.needs_checksum = true;
    offload.checksum_start = raw.checksum_start;
    offload.checksum_offset = raw.checksum_offset;
  }
  if (*segmentation != Segmentation::none) {
    offload.segmentation = *segmentation;
    offload.tcp_ecn = (raw.gso_type & kGsoEcn) != 0;
    offload.segment_bytes = raw.gso_bytes;
    offload.header_bytes = raw.header_bytes;
  }
  return offload;
}

void write_virtio_header(std::span<std::byte, kVirtioHeaderBytes> header,
                         const Offload& offload) noexcept {
  VirtioHeader raw{};
  if (offload.needs_checksum) {
    raw.flags = kNeedsChecksum;
    raw.checksum_start = offload.checksum_start;
    raw.checksum_offset = offload.checksum_offset;
  } else if (offload.checksum_verified) {
    raw.flags = kDataValid;
  }
  if (offload.is_super_packet()) {
    raw.gso_type = static_cast<std::uint8_t>(gso_type_of(offload.segmentation) |
                                             (offload.tcp_ecn ? kGsoEcn : 0));
    raw.gso_bytes = offload.segment_bytes;
    raw.header_bytes = offload.header_bytes;
  }
  std::memcpy(header.data(), &raw, sizeof raw);
}

}  // namespace culvert::io
