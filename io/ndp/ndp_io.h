// NdpIo: the seam between an NDP loop and the kernel. Implementations: NdpSockets and, in tests,
// MemoryNdpIo. Only the loop's thread calls it, except wake().
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "proto/address.h"

namespace culvert::io {

/// A reply to one of our ICMPv6 echo requests. RFC 4443 4.2.
struct EchoReply {
  proto::Ipv6Address source{};
  unsigned interface_index = 0;  ///< the interface that received the reply
};

class NdpIo {
 public:
  /// Frames that may wait to be received, and frames of one send() at most.
  static constexpr std::size_t kFrames = 1'024, kSends = 64;

  virtual ~NdpIo() = default;

  /// Whether there is an interface to send to.
  [[nodiscard]] virtual bool is_open() const noexcept = 0;
  /// The next received frame, from its Ethernet header on. Empty: no frame waits. A frame is valid
  /// until release(), which must follow.
  [[nodiscard]] virtual std::span<const std::byte> next() noexcept = 0;
  virtual void release() noexcept = 0;
  /// Sends whole frames, at most kSends, in their order. Sets `errors[i]` to 0 or an errno: all
  /// to ENETDOWN if !is_open().
  virtual void send(std::span<const std::span<const std::byte>> frames,
                    std::span<int> errors) noexcept = 0;
  /// The number of frames that were dropped since the last call because kFrames waited.
  [[nodiscard]] virtual std::uint64_t read_drops() noexcept = 0;

  /// Sends one ICMPv6 echo request. Returns false if it cannot be sent now: no route, no buffer
  /// space, or no socket for echo requests.
  [[nodiscard]] virtual bool send_echo(const proto::Ipv6Address& target) noexcept = 0;
  /// The next reply. Empty: no more replies wait.
  [[nodiscard]] virtual std::optional<EchoReply> receive_echo() noexcept = 0;

  /// Sleeps until a frame or a reply arrives, wake() is called, or `timeout` is over.
  virtual void wait(std::chrono::nanoseconds timeout) noexcept = 0;
  /// Ends the current wait(), or the next one if none is running. Any thread.
  virtual void wake() noexcept = 0;
};

}  // namespace culvert::io
