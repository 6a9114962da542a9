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

/// One try to reach a target.
struct Probe {
  proto::Ipv6Address target{};
  unsigned interface_index =
      0;  ///< the target's own link, on which it is solicited; 0: none of ours
  /// The echo request leaves by `interface_index` too, not by the kernel's route.
  bool is_bound = false;

  friend bool operator==(const Probe&, const Probe&) = default;
};

/// The answer of a target that we have probed.
struct ProbeReply {
  proto::Ipv6Address target{};
  unsigned interface_index = 0;   ///< the interface that received it
  bool is_advertisement = false;  ///< of RFC 4861; else an echo reply, RFC 4443 4.2
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

  /// Probes a target: an ICMPv6 echo request, and a solicitation on its own link. Returns false if
  /// nothing can be sent now: no route, no buffer space, or no socket for probes.
  [[nodiscard]] virtual bool send_probe(const Probe& probe) noexcept = 0;
  /// The next answer. Empty: no more wait.
  [[nodiscard]] virtual std::optional<ProbeReply> receive_reply() noexcept = 0;

  /// Sleeps until a frame or a reply arrives, wake() is called, or `timeout` is over.
  virtual void wait(std::chrono::nanoseconds timeout) noexcept = 0;
  /// Ends the current wait(), or the next one if none is running. Any thread.
  virtual void wake() noexcept = 0;
};

}  // namespace culvert::io
