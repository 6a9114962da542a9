// Packet: one packet in one buffer (headroom, then bytes), and its offload. A Packet is a view: its
// buffer belongs to the PacketIo that received it, until release(). Only the worker's thread uses
// it.
//
// A *super-packet* (GSO/GRO packet) is one packet of up to 64 KiB that stands for many packets of
// one TCP or UDP flow. GRO makes it from received packets; GSO cuts it into segments.
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <span>

#include "io/offload.h"

namespace culvert::io {

/// Free bytes in front of every received packet: enough for the largest outer header that we add
/// (20 bytes of IPv4 and 16 of GRE), so that adding it needs no copy.
inline constexpr std::size_t kHeadroomBytes = 64;

class Packet {
 public:
  Packet() = default;
  /// The packet is the `size` bytes at `offset` of `buffer`. The bytes before it are headroom,
  /// which may be written.
  Packet(std::span<std::byte> buffer, std::size_t offset, std::size_t size) noexcept
      : begin_(buffer.data() + offset), size_(size), headroom_(offset) {
    assert(offset + size <= buffer.size());
  }

  [[nodiscard]] std::span<std::byte> bytes() noexcept { return {begin_, size_}; }
  [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return {begin_, size_}; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] std::size_t headroom_bytes() const noexcept { return headroom_; }

  /// Removes the first `count` bytes and moves the positions of the offload.
  void trim_front(std::size_t count) noexcept {
    assert(count <= size_);
    begin_ += count;
    size_ -= count;
    headroom_ += count;
    shift_offload(-static_cast<std::ptrdiff_t>(count));
  }
  /// Adds `count` bytes of the headroom in front and moves the positions of the offload.
  void grow_front(std::size_t count) noexcept {
    assert(count <= headroom_);
    begin_ -= count;
    size_ += count;
    headroom_ -= count;
    shift_offload(static_cast<std::ptrdiff_t>(count));
  }
  /// Keeps only the first `size` bytes.
  void trim_to(std::size_t size) noexcept {
    assert(size <= size_);
    size_ = size;
  }

  Offload offload;
  /// The interface that received the packet; 0 for TUN and for a raw socket without IP_PKTINFO.
  std::uint32_t interface_index = 0;
  bool truncated = false;        ///< larger than its buffer: only count it, do not read it
  bool has_bad_offload = false;  ///< invalid virtio header: only count it, do not read it

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
