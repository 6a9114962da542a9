// A packet's offload: what is still to be done to it before it may go on a wire, as the kernel's
// virtio-net header says it. From and to that header. Pure functions; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace culvert::io {

/// The virtio-net header of IFF_VNET_HDR and PACKET_VNET_HDR: 10 bytes in the machine's byte order.
inline constexpr std::size_t kVirtioHeaderBytes = 10;

/// How a super-packet is to be cut.
enum class Segmentation : std::uint8_t { none, tcp4, tcp6, udp };

/// What is still to be done to a packet. All positions count from the packet's first byte, so that
/// removing or adding a header in front moves them (see Packet::trim_front).
struct Offload {
  bool needs_checksum = false;        ///< the field holds only the pseudo-header's sum
  bool checksum_verified = false;     ///< the kernel has verified the transport checksum
  std::uint16_t checksum_start = 0;   ///< where the transport header begins
  std::uint16_t checksum_offset = 0;  ///< of the field, from checksum_start
  Segmentation segmentation = Segmentation::none;
  bool tcp_ecn = false;             ///< CWR is for the first segment only (VIRTIO_NET_HDR_GSO_ECN)
  std::uint16_t segment_bytes = 0;  ///< transport payload of one segment, the last may be shorter
  std::uint16_t header_bytes = 0;  ///< up to the end of the transport header; a hint of the kernel,
                                   ///< to be checked against the headers themselves

  [[nodiscard]] bool is_super_packet() const noexcept { return segmentation != Segmentation::none; }
  friend bool operator==(const Offload&, const Offload&) = default;
};

/// Reads a virtio-net header. Nothing: a kind of segmentation that we did not ask for (UFO, an
/// unknown one), or a super-packet without a segment size. Other nonsense (positions past the
/// packet) is the reader's to check against the packet.
[[nodiscard]] std::optional<Offload> read_virtio_header(
    std::span<const std::byte, kVirtioHeaderBytes> header) noexcept;

/// Writes the virtio-net header that says `offload`.
void write_virtio_header(std::span<std::byte, kVirtioHeaderBytes> header,
                         const Offload& offload) noexcept;

}  // namespace culvert::io
