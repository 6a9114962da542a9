// The seam between a worker and the kernel: batches of packets in, batches of packets out.
// Implemented by Ring (io_uring), Poller (epoll) and, in tests, MemoryPacketIo. All of it is called
// by one thread, the worker's, but for wake().
//
// A round of the worker:
//     wait()  >  received(each source)  >  send(), write() ...  >  submit()  >  release()
// Packets and whatever send() and write() were given stay valid until submit() (what was sent) and
// release() (what was received).
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>

#include "io/next_hop.h"
#include "io/packet.h"
#include "io/result.h"
#include "proto/address.h"

namespace culvert::io {

/// Where a received packet comes from, and what its bytes begin with.
enum class Source : std::uint8_t {
  tun,     ///< an inner packet, from its IPv6 or IPv4 header on
  tunnel,  ///< an outer packet, from its IPv4 header on (link-layer header removed)
  icmp,    ///< an ICMPv4 error to us, from its IPv4 header on
};
inline constexpr std::size_t kSources = 3;

/// An outer packet that is to be sent: the outer header and what follows it, in one piece or two
/// (the header block and the payload slice of a segment). Neither is copied. Or a super-packet with
/// its headers in front, in one piece, which the next hop cuts (NextHop::kernel_gso).
struct Datagram {
  std::span<const std::byte> head;
  std::span<const std::byte> tail;
  proto::Ipv4Address destination;
  NextHop next_hop{};  ///< nothing: by the kernel's route
  /// Without a next hop: leave by this interface, along the route that the outer source has there
  /// (policy routing included); 0: whichever the route names.
  std::uint32_t interface_index = 0;
  /// Of a super-packet: its offload, with positions from the outer header on, and how many bytes
  /// lie in front of the inner header.
  Offload offload{};
  std::uint16_t encapsulation_bytes = 0;
};

/// An inner packet, or super-packet, for TUN: its headers and its payload slices. `head` and what
/// the slices point to are not copied; the array of slices is.
struct TunPacket {
  std::span<const std::byte> head;
  std::span<const std::span<const std::byte>> slices;
  Offload offload;
};
inline constexpr std::size_t kMaxSlices = 64;  ///< of one TunPacket

/// What became of the sends and writes since the last submit(), in the order in which they were
/// asked for: 0 or an errno each. Valid until the next send() or write().
struct Submitted {
  std::span<const int> sends;
  std::span<const int> writes;
};

/// Packets that the kernel dropped before we could take them, since the start.
struct Losses {
  std::uint64_t tunnel_queue_full = 0;  ///< the receive buffer of the socket was full
};

class PacketIo {
 public:
  virtual ~PacketIo() = default;

  /// Takes what has arrived, and sleeps until something does, wake() is called or `timeout` is
  /// over; spins first where io/busy_poll.h says so. Never waits for a batch to fill. Fails if the
  /// device is gone; an outer interface that is down is no failure: its packets come again when it
  /// is up.
  virtual Result<void> wait(std::chrono::nanoseconds timeout) noexcept = 0;

  /// The packets of this round, in the order of their arrival. They may be changed, headroom
  /// included.
  [[nodiscard]] virtual std::span<Packet> received(Source source) noexcept = 0;

  /// Puts an outer packet in the batch. False: the batch is full; submit() and ask again.
  [[nodiscard]] virtual bool send(const Datagram& datagram) noexcept = 0;
  /// Puts an inner packet in the batch. False: as above. At most kMaxSlices slices.
  [[nodiscard]] virtual bool write(const TunPacket& packet) noexcept = 0;
  /// Gives the batch to the kernel and waits for each result; never for room in a socket: what
  /// finds none fails with EAGAIN.
  [[nodiscard]] virtual Submitted submit() noexcept = 0;
  /// Ends the round: the buffers of the received packets may be filled again.
  virtual void release() noexcept = 0;

  /// The last call of the thread that waited: afterwards the kernel holds none of the descriptors,
  /// so that the device is gone as soon as they are closed.
  virtual void finish() noexcept {}

  /// Ends a wait() that is under way, or else the next. Any thread.
  virtual void wake() noexcept = 0;

  [[nodiscard]] virtual Losses losses() noexcept = 0;
};

}  // namespace culvert::io
