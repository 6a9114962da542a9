// One packet in one buffer: headroom, bytes; and its offload. A *super-packet* stands for many
// packets of one flow. A Packet is a view: the buffer belongs to the queue that received it until
// that queue's release(). Used by one worker's thread.
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <span>

#include "io/offload.h"

namespace culvert::io {

/// What every received packet has in front of it: enough for the largest outer header we add (20
/// bytes of IPv4 and 16 of GRE), so that a header is put in front without a copy.
inline constexpr std::size_t kHeadroomBytes = 64;

class Packet {
 public:
  Packet() = default;
  /// The packet lies at `offset` of `buffer`; what is in front of it is headroom, free to be
  /// written.
  Packet(std::span<std::byte> buffer, std::size_t offset, std::size_t size) noexcept
      : begin_(buffer.data() + offset), size_(size), headroom_(offset) {
    assert(offset + size <= buffer.size());
  }

  [[nodiscard]] std::span<std::byte> bytes() noexcept { return {begin_, size_}; }
  [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return {begin_, size_}; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] std::size_t headroom_bytes() const noexcept { return headroom_; }

  /// Removes `count` bytes in front; the offload's positions move with it.
  void trim_front(std::size_t count) noexcept {
    assert(count <= size_);
    begin_ += count;
    size_ -= count;
    headroom_ += count;
    shift_offload(-static_cast<std::ptrdiff_t>(count));
  }
  /// Adds `count` bytes of headroom in front of the packet; the offload's positions move with it.
  void grow_front(std::size_t count) noexcept {
    assert(count <= headroom_);
    begin_ -= count;
    size_ += count;
    headroom_ -= count;
    shift_offload(static_cast<std::ptrdiff_t>(count));
  }
  /// Cuts what lies behind the first `size` bytes.
  void trim_to(std::size_t size) noexcept {
    assert(size <= size_);
    size_ = size;
  }

  Offload offload;
  /// By which it came; 0: TUN does not say, nor does a raw socket without IP_PKTINFO.
  std::uint32_t interface_index = 0;
  bool truncated = false;        ///< it was larger than its buffer: not to be read, only counted
  bool has_bad_offload = false;  ///< its virtio header made no sense: not to be read, only counted

 private:
  void shift_offload(std::ptrdiff_t by) noexcept {
    if (offload.needs_checksum || offload.is_super_packet()) {
      offload.checksum_start = static_cast<std::uint16_t>(offload.checksum_start + by);
      offload.header_bytes = static_cast<std::uint16_t>(offload.header_bytes + by);
    }
  }

  std::byte* begin_ = nullptr;
  std::size_t size_ = 0;
  std::size_t headroom_ = 0;
};

}  // namespace culvert::io
