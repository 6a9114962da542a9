// NdpSocket: the packet socket of an NDP proxy on one Ethernet interface. It receives neighbor
// solicitations and advertisements, and sends frames.
//
// The kernel writes received frames into a shared ring (TPACKET_V2). Reading a frame needs no
// system call. The ring has a fixed size: in a storm the kernel drops further frames before it
// copies them. open(): set-up. All other functions: one thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "io/fd.h"
#include "io/ndp/ndp_io.h"
#include "io/result.h"

namespace culvert::io {

class NdpSocket {
 public:
  /// Capacity of the ring in frames, and of one frame in bytes: enough for an Ethernet frame with a
  /// packet of 1,500 bytes.
  static constexpr std::size_t kFrames = NdpIo::kFrames, kFrameBytes = 2'048;
  static constexpr std::size_t kSends = NdpIo::kSends;  ///< frames of one send() at most

  /// Opens a socket that receives packets to this host or to a multicast group, but none that this
  /// host sends, and what NdpBypassProgram marks: ICMPv6 types 135 and 136, and packets with hop limit 255 and an extension header,
  /// which may hold such a message. Needs CAP_NET_RAW.
  [[nodiscard]] static Result<NdpSocket> open(unsigned interface_index);

  NdpSocket() = default;  ///< without a socket: is_open() is false
  NdpSocket(NdpSocket&& other) noexcept;
  NdpSocket& operator=(NdpSocket&& other) noexcept;
  NdpSocket(const NdpSocket&) = delete;
  NdpSocket& operator=(const NdpSocket&) = delete;
  ~NdpSocket();

  [[nodiscard]] bool is_open() const noexcept { return static_cast<bool>(fd_); }
  /// Whether it still receives from this interface. The kernel unbinds it when the interface is
  /// unregistered, even if another one takes the index at once.
  [[nodiscard]] bool is_bound_to(unsigned interface_index) const noexcept;
  /// Readable when the ring has a frame. -1 if the socket is not open.
  [[nodiscard]] int fd() const noexcept { return fd_.get(); }

  /// The next received frame, from its Ethernet header on, cut to kFrameBytes. Empty if the ring
  /// is. A frame is valid until release(), which must follow.
  [[nodiscard]] std::span<const std::byte> next() const noexcept;
  /// Returns the frame of next() to the kernel.
  void release() noexcept;

  /// Sends whole frames, at most kSends, in their order. Sets `errors[i]` to 0 or an errno.
  void send(std::span<const std::span<const std::byte>> frames, std::span<int> errors) noexcept;

  /// The number of frames that the kernel has dropped since the last call because the ring was
  /// full (PACKET_STATISTICS).
  [[nodiscard]] std::uint64_t read_drops() noexcept;
  /// Clears the error that poll() reports when the interface goes down (SO_ERROR).
  void clear_error() noexcept;

 private:
  void unmap() noexcept;

  Fd fd_;
  std::byte* ring_ = nullptr;
  std::size_t next_ = 0;
};

}  // namespace culvert::io
