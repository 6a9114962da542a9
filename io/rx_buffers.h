// RxBuffers: the receive buffers of one source, and the packets of this round in them. It turns the
// bytes that the kernel has written into Packets, for every method of receiving. One thread.
//
// A buffer:   headroom | io_uring message header, if any | virtio header | frame
//                                                                        ^ kFrameOffset
// The frame begins at a cache line, since the kernel copies it in one piece. When the frame has
// become a Packet, all bytes in front of it are headroom.
#pragma once

#include <linux/if_packet.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "io/cache_line.h"
#include "io/packet.h"
#include "io/packet_io.h"
#include "io/packet_pool.h"
#include "io/result.h"
#include "io/sockets.h"

namespace culvert::io {

/// The headers that the kernel writes in front of an IP packet.
struct Framing {
  bool virtio_header = false;
  bool link_layer_header = false;  ///< its length depends on the interface's hardware type
};

/// The interface that received a packet. A packet socket reports it in the sender's address
/// (packet(7), sockaddr_ll), a raw socket in a control message (ip(7), IP_PKTINFO).
struct RxMeta {
  std::uint32_t interface_index = 0;
  std::uint16_t hardware_type = 0;  ///< ARPHRD_*: whether the frame has a link-layer header
};

/// `sender`: the address that was received with a packet. The result is empty if its family is not
/// AF_PACKET.
[[nodiscard]] RxMeta rx_meta(const sockaddr_ll& sender) noexcept;
/// `control`: the control message that was received with a packet. The result is empty if it is not
/// IP_PKTINFO.
[[nodiscard]] RxMeta rx_meta(std::span<const std::byte> control) noexcept;

inline constexpr std::size_t kFrameOffset = 128;
static_assert(kFrameOffset >= kHeadroomBytes);
/// One slot holds the largest IP packet, its link-layer header and the headroom. The size is not a
/// multiple of the page size, so the first bytes of all slots do not fall into one cache set.
inline constexpr std::size_t kSlotBytes = 65'536 + 1'024;
/// An ICMP error has at most 576 bytes (IPv4, RFC 1812 4.3.2.3) or 1280 (IPv6, RFC 4443 2.4(c)).
inline constexpr std::size_t kIcmpSlotBytes = 4'096;

class RxBuffers {
 public:
  /// Allocates `count` slots of `slot_bytes` bytes. Fails as PacketPool::open() does.
  [[nodiscard]] static Result<RxBuffers> open(std::size_t count, std::size_t slot_bytes,
                                              Framing framing);

  [[nodiscard]] std::size_t count() const noexcept { return pool_.count(); }
  /// The part of a slot that the kernel may write: `extra_bytes` of its own (an io_uring message
  /// header), the virtio header, the frame.
  [[nodiscard]] std::span<std::byte> room(std::size_t slot, std::size_t extra_bytes = 0) noexcept {
    return pool_.slot(slot).subspan(kFrameOffset - virtio_bytes() - extra_bytes);
  }

  /// Appends the packet that the kernel has written to `slot`: `filled_bytes` from room(slot) on.
  /// `meta`: the interface, as the socket reported it.
  void append(std::size_t slot, std::size_t filled_bytes, const RxMeta& meta = {}) noexcept;

  /// Reads packets one by one into the next free slots. Returns 0 if no packet or no slot is left,
  /// or the errno of a read that fails. `fd` is non-blocking. Not for RxBuffers whose slots the
  /// kernel selects (provided buffers).
  [[nodiscard]] int read_from(int fd) noexcept;

  [[nodiscard]] std::span<Packet> packets() noexcept { return packets_; }
  /// The slots of packets(), in the same order.
  [[nodiscard]] std::span<const std::uint16_t> slots() const noexcept { return slots_; }
  [[nodiscard]] bool is_full() const noexcept { return packets_.size() == count(); }
  /// Ends the round: forgets all packets.
  void clear() noexcept {
    packets_.clear();
    slots_.clear();
  }

 private:
  [[nodiscard]] std::size_t virtio_bytes() const noexcept {
    return framing_.virtio_header ? kVirtioHeaderBytes : 0;
  }

  PacketPool pool_;
  Framing framing_;
  LineVector<Packet> packets_;
  LineVector<std::uint16_t> slots_;
};

/// Opens the buffers of one worker, indexed by Source. Makes the TUN descriptor non-blocking, since
/// an injected descriptor may be blocking. Fails with EBADF if there is no TUN descriptor.
[[nodiscard]] Result<std::array<RxBuffers, kSources>> open_rx_buffers(
    const QueueSizes& sizes, const WorkerDescriptors& descriptors);

}  // namespace culvert::io
