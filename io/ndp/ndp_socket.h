// The socket of an NDP proxy: neighbor solicitations and advertisements as they come to one
// Ethernet interface, and frames to be sent there. What comes lies in a ring that the kernel and we
// share (TPACKET_V2): nothing is called to take it, it has a fixed size, and what a storm brings
// beyond that the kernel drops before it is copied. open: set-up; everything else one thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "io/fd.h"
#include "io/result.h"

namespace culvert::io {

class NdpSocket {
 public:
  /// Messages that wait to be taken at most; and how much of one is seen: more than an Ethernet
  /// frame of 1,500 bytes.
  static constexpr std::size_t kFrames = 1'024, kFrameBytes = 2'048;
  static constexpr std::size_t kSends = 64;  ///< of one send() at most

  /// What came to this host or to a group, not what others on the host have sent: ICMPv6 types 135
  /// and 136, and, with hop limit 255, what has an extension header and may be such a message.
  /// Needs CAP_NET_RAW.
  [[nodiscard]] static Result<NdpSocket> open(unsigned interface_index);

  NdpSocket() = default;  ///< of nothing: is_open() is false
  NdpSocket(NdpSocket&& other) noexcept;
  NdpSocket& operator=(NdpSocket&& other) noexcept;
  NdpSocket(const NdpSocket&) = delete;
  NdpSocket& operator=(const NdpSocket&) = delete;
  ~NdpSocket();

  [[nodiscard]] bool is_open() const noexcept { return static_cast<bool>(fd_); }
  /// Readable when a frame has come. -1 if it is not open.
  [[nodiscard]] int fd() const noexcept { return fd_.get(); }

  /// The next frame, Ethernet header and all, cut to kFrameBytes; empty: none has come. It is there
  /// until release(), which has to follow.
  [[nodiscard]] std::span<const std::byte> next() const noexcept;
  void release() noexcept;

  /// Sends whole frames, kSends at most, in their order. Sets `errors[i]` to 0 or an errno.
  void send(std::span<const std::span<const std::byte>> frames, std::span<int> errors) noexcept;

  /// What the kernel has dropped since the last call because the ring was full.
  [[nodiscard]] std::uint64_t read_drops() noexcept;
  /// Takes the error that poll() reports, of an interface that went down.
  void clear_error() noexcept;

 private:
  void unmap() noexcept;

  Fd fd_;
  std::byte* ring_ = nullptr;
  std::size_t next_ = 0;
};

}  // namespace culvert::io
