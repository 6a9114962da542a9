// Offload: the work (checksum, segmentation) that remains to be done before a packet goes on a
// wire. Functions convert it from and to the kernel's virtio-net header. Pure functions; any
// thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace culvert::io {

/// The virtio-net header of IFF_VNET_HDR and PACKET_VNET_HDR: 10 bytes in the machine's byte order.
inline constexpr std::size_t kVirtioHeaderBytes = 10;

/// How a super-packet must be segmented.
enum class Segmentation : std::uint8_t { none, tcp4, tcp6, udp };

/// The work that remains for one packet. All positions count from the packet's first byte, so they
/// move when a header is removed or added in front (see Packet::trim_front).
struct Offload {
  bool needs_checksum = false;        ///< the field holds only the pseudo-header's sum
  bool checksum_verified = false;     ///< the kernel has verified the transport checksum
  std::uint16_t checksum_start = 0;   ///< the transport header begins here
  std::uint16_t checksum_offset = 0;  ///< the checksum field, from checksum_start
  Segmentation segmentation = Segmentation::none;
  bool tcp_ecn = false;             ///< CWR is for the first segment only (VIRTIO_NET_HDR_GSO_ECN)
  std::uint16_t segment_bytes = 0;  ///< transport payload of one segment; the last may be shorter
  std::uint16_t header_bytes = 0;   ///< up to the end of the transport header; a hint of the
                                    ///< kernel: check it against the headers

  [[nodiscard]] bool is_super_packet() const noexcept { return segmentation != Segmentation::none; }
  friend bool operator==(const Offload&, const Offload&) = default;
};

/// Reads a virtio-net header. Empty if it has a kind of segmentation that we did not enable (UFO,
/// or an unknown kind), or a super-packet without a segment size. Positions may lie beyond the
/// packet: the caller checks them.
[[nodiscard]] std::optional<Offload> read_virtio_header(
    std::span<const std::byte, kVirtioHeaderBytes> header) noexcept;

/// Writes `offload` as a virtio-net header.
void write_virtio_header(std::span<std::byte, kVirtioHeaderBytes> header,
                         const Offload& offload) noexcept;

}  // namespace culvert::io
