// PacketIo: the seam between a worker and the kernel. It receives (RX) and sends (TX) batches of
// packets. Implementations: Ring (io_uring), Poller (epoll) and, in tests, MemoryPacketIo. Only the
// worker's thread calls it, except wake().
//
// A round of the worker:
//     wait()  >  received(each source)  >  send(), write() ...  >  submit()  >  release()
// Received packets stay valid until release(). The caller keeps the bytes that it passes to send()
// and write() valid until submit().
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>

#include "io/next_hop.h"
#include "io/packet.h"
#include "io/result.h"
#include "proto/address.h"
#include "proto/encapsulation.h"

namespace culvert::io {

/// The source of a received packet. It determines the first header of the packet.
enum class Source : std::uint8_t {
  tun,     ///< an inner packet from the TUN device: starts with its IPv6 or IPv4 header
  tunnel,  ///< an outer packet: starts with its IPv4 header (link-layer header removed)
  icmp,    ///< an ICMPv4 error to this host: starts with its IPv4 header
};
inline constexpr std::size_t kSources = 3;

/// An outer packet to send: the outer header and all that follows it, in one piece or in two (the
/// headers and the payload slice of a segment). Or a super-packet behind its outer headers, in one
/// piece, which the kernel segments (NextHop::kernel_gso). send() does not copy the bytes.
struct Datagram {
  std::span<const std::byte> head;
  std::span<const std::byte> tail;
  proto::Ipv4Address destination;
  NextHop next_hop{};  ///< empty: the kernel looks up the route
  /// Without a next hop: the interface to leave by, along the route that the outer source has there
  /// (policy routing included). 0: the interface of the kernel's route.
  std::uint32_t interface_index = 0;
  /// For a super-packet: its offload, with positions from the outer header on, the bytes in front
  /// of the inner header, and how the kernel segments behind them.
  Offload offload{};
  std::uint16_t encapsulation_bytes = 0;
  proto::KernelGso gso = proto::KernelGso::none;
};

/// An inner packet or super-packet to write to TUN: its headers (`head`) and its payload slices.
/// write() copies the array of slices, but not the bytes.
struct TunPacket {
  std::span<const std::byte> head;
  std::span<const std::span<const std::byte>> slices;
  Offload offload;
};
inline constexpr std::size_t kMaxSlices = 64;  ///< slices of one TunPacket

/// The results of all sends and writes since the last submit(), in the order of the calls: 0 or an
/// errno each. Valid until the next send() or write().
struct Submitted {
  std::span<const int> sends;
  std::span<const int> writes;
};

/// Packets that the kernel has dropped before we could receive them, since the start.
struct Losses {
  std::uint64_t tunnel_queue_full = 0;  ///< the receive buffer of a socket was full
};

class PacketIo {
 public:
  virtual ~PacketIo() = default;

  /// Receives the packets that are queued. If there are none, polls and then sleeps
  /// (io/busy_poll.h) until a packet arrives, wake() is called or `timeout` is over. Never waits
  /// for a batch to fill. Fails if the TUN device was deleted. An outer interface that is down is
  /// no failure: packets arrive again when it is up.
  virtual Result<void> wait(std::chrono::nanoseconds timeout) noexcept = 0;

  /// The packets of this round from one source, in the order of arrival. The caller may change
  /// them, headroom included.
  [[nodiscard]] virtual std::span<Packet> received(Source source) noexcept = 0;

  /// Adds an outer packet to the TX batch. Returns false if the batch is full: call submit() and
  /// try again.
  [[nodiscard]] virtual bool send(const Datagram& datagram) noexcept = 0;
  /// Adds an inner packet to the TX batch, with at most kMaxSlices slices. Returns false if the
  /// batch is full.
  [[nodiscard]] virtual bool write(const TunPacket& packet) noexcept = 0;
  /// Passes the TX batch to the kernel and collects all results. It never waits for buffer space of
  /// a socket: a send without space fails with EAGAIN.
  [[nodiscard]] virtual Submitted submit() noexcept = 0;
  /// Ends the round. The buffers of its received packets are used again.
  virtual void release() noexcept = 0;

  /// The last call of the thread that called wait(). Afterwards the kernel holds no reference to
  /// the descriptors, so closing them deletes the device at once.
  virtual void finish() noexcept {}

  /// Ends the current wait(), or the next one if none is running. Any thread.
  virtual void wake() noexcept = 0;

  /// The losses since the start.
  [[nodiscard]] virtual Losses losses() noexcept = 0;
};

}  // namespace culvert::io
