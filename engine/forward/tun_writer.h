// TunWriter: a worker's writes to TUN. It segments super-packets for a device that accepts none, or
// that refuses them, and counts each write by its result. Only the worker's thread uses it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "engine/flows/flow_pinning.h"
#include "engine/model/packet_meta.h"
#include "engine/tables/tunnel_stats.h"
#include "io/cache_line.h"
#include "io/packet.h"
#include "io/packet_io.h"

namespace culvert {

/// The numbers to count for a write to TUN, once its result is known.
struct PendingWrite {
  std::uint32_t tunnel = 0;
  /// 0: counted elsewhere, as an ICMP error that we originated
  std::uint32_t packets = 0;
  std::uint32_t bytes = 0;
  /// `offloaded` is set by the writer: the kernel is to segment it or complete its checksum. A word,
  /// so that a copy has no padding: two registers, not stores that one load reads back.
  enum class Kind : std::uint32_t { packet, offloaded, relayed_error } kind = Kind::packet;
};

/// Refused super-packets after which a worker passes no more of them to the kernel: to TUN, or to the
/// packet socket. Some kernels refuse only rare forms, and all of them are cut and passed again, so
/// one is no reason to stop.
inline constexpr unsigned kMaxRefusedOffloads = 4;

class TunWriter {
 public:
  /// `queues`, `stats` and `flows` are the worker's and must outlive the writer. `batch_writes`: the
  /// capacity of `queues` for writes. `offloads`: false if TUN accepts neither super-packets nor
  /// unfinished checksums.
  TunWriter(io::PacketIo& queues, TunnelStats& stats, FlowPinning& flows, std::size_t batch_writes,
            bool offloads);

  /// Packets must be written by write_segments(): TUN accepts no super-packets, or has refused
  /// kMaxRefusedOffloads of them.
  [[nodiscard]] bool needs_segments() const noexcept { return !offloads_; }
  [[nodiscard]] bool is_empty() const noexcept { return pending_.empty(); }

  /// Queues a packet. Its bytes and slices stay valid until write_refused(). If the batch is full,
  /// submits it first; no send may be queued then.
  void write(const io::TunPacket& packet, PendingWrite pending) noexcept;
  /// Queues the segments of a super-packet, or a packet with its checksum completed. `meta`
  /// describes the packet. Counts a packet that cannot be segmented or completed as dropped.
  void write_segments(io::Packet& packet, const PacketMeta& meta,
                      const PendingWrite& pending) noexcept;

  /// Stores the pins of the round's flows, passes all queued sends and writes to the kernel, and
  /// counts the writes. Returns the results of the sends, valid until the next send or write.
  std::span<const int> submit() noexcept;
  /// Writes the packets again whose offload the kernel has refused (EINVAL), without an offload: each
  /// segment by itself, its checksum complete. Follows submit(), whose results end with it. No send
  /// may be queued.
  void write_refused() noexcept;

 private:
  /// A packet whose offload the kernel has refused.
  struct RefusedWrite {
    io::TunPacket packet{};
    PendingWrite pending{};
  };

  void append(const io::TunPacket& packet, PendingWrite pending) noexcept;
  void count(std::span<const int> results) noexcept;
  void count(const PendingWrite& pending, int result) noexcept;
  [[nodiscard]] io::Packet join(const io::TunPacket& packet) noexcept;

  io::PacketIo& queues_;
  TunnelStats& stats_;
  FlowPinning& flows_;
  std::size_t batch_writes_;
  bool offloads_;
  unsigned refused_offloads_ = 0;
  io::LineVector<PendingWrite> pending_;  ///< in the order of the writes
  /// The packet of each pending write that has an offload; the others are not set.
  io::LineVector<io::TunPacket> offloaded_;
  io::LineVector<RefusedWrite> refused_;
  // Pages that are never used are never resident.
  /// One block of kMaxInnerHeaderBytes for each pending write.
  io::LineVector<std::byte> segment_headers_;
  io::LineVector<std::byte> joined_;  ///< a refused packet in one piece
};

}  // namespace culvert
