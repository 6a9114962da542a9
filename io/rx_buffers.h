// RxBuffers: the receive buffers of one source, and the packets of this round that lie in them.
// What the kernel has written is turned into Packets here, whichever way it came. One thread.
//
// A buffer:   headroom | (what the way of receiving puts in front) | virtio header | frame
//                                                                                  ^ kFrameOffset
// The frame begins at a cache line: the kernel copies it there in one piece. Once it is a Packet,
// everything in front of it is headroom.
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

/// What the kernel writes in front of an IP packet.
struct Framing {
  bool virtio_header = false;
  bool link_layer_header = false;  ///< of the length that the interface's hardware type has
};

/// The interface by which a packet came. A packet socket tells of it by the sender's address
/// (packet(7), sockaddr_ll), a raw socket by a control message (ip(7), IP_PKTINFO).
struct RxMeta {
  std::uint32_t interface_index = 0;
  std::uint16_t hardware_type = 0;  ///< ARPHRD_*: whether the frame has a link-layer header
};

/// `sender`: the address that was received with a packet; of other families it tells nothing.
[[nodiscard]] RxMeta rx_meta(const sockaddr_ll& sender) noexcept;
/// `control`: what was received with a packet; without a word of the interface it tells nothing.
[[nodiscard]] RxMeta rx_meta(std::span<const std::byte> control) noexcept;

inline constexpr std::size_t kFrameOffset = 128;
static_assert(kFrameOffset >= kHeadroomBytes);
/// One slot holds the largest IP packet, its link-layer header and the headroom. Not a multiple of
/// the page size, so that the first bytes of all slots do not meet in one set of the cache.
inline constexpr std::size_t kSlotBytes = 65'536 + 1'024;
/// ICMP errors quote 1280 bytes at the most (RFC 4443 2.4(c); 576 in IPv4: RFC 1812 4.3.2.3).
inline constexpr std::size_t kIcmpSlotBytes = 4'096;

class RxBuffers {
 public:
  [[nodiscard]] static Result<RxBuffers> open(std::size_t count, std::size_t slot_bytes,
                                              Framing framing);

  [[nodiscard]] std::size_t count() const noexcept { return pool_.count(); }
  /// Where the kernel may write: `extra_bytes` of its own, the virtio header, the frame.
  [[nodiscard]] std::span<std::byte> room(std::size_t slot, std::size_t extra_bytes = 0) noexcept {
    return pool_.slot(slot).subspan(kFrameOffset - virtio_bytes() - extra_bytes);
  }

  /// Appends the packet that the kernel has put in `slot`: `filled_bytes` from room(slot) on.
  /// `from`: what the socket told of the interface.
  void append(std::size_t slot, std::size_t filled_bytes, const RxMeta& from = {}) noexcept;

  /// Reads packets one by one, each into the slot after the last one taken, until there is none
  /// left (0 is returned) or no slot (0), or until one cannot be read (its errno). `fd` is
  /// non-blocking. Not for RxBuffers whose slots the kernel chooses.
  [[nodiscard]] int read_from(int fd) noexcept;

  [[nodiscard]] std::span<Packet> packets() noexcept { return packets_; }
  /// The slots in which they lie, in their order.
  [[nodiscard]] std::span<const std::uint16_t> slots() const noexcept { return slots_; }
  [[nodiscard]] bool is_full() const noexcept { return packets_.size() == count(); }
  /// Ends the round.
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

/// The buffers of one worker, by Source. Makes TUN non-blocking, which an injected one may not be.
[[nodiscard]] Result<std::array<RxBuffers, kSources>> open_rx_buffers(
    const QueueSizes& sizes, const WorkerDescriptors& descriptors);

}  // namespace culvert::io
