// TunWriter: a worker's writes to TUN. It segments super-packets for a device that accepts none, and
// counts each write by its result. Only the worker's thread uses it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "engine/flows/flow_pinning.h"
#include "engine/model/packet_meta.h"
#include "engine/tables/tunnel_stats.h"
#include "io/cache_line.h"
#include "io/packet_io.h"

namespace culvert {

/// The numbers to count for a write to TUN, once its result is known.
struct PendingWrite {
  std::uint32_t tunnel = 0;
  std::uint32_t packets = 0;  ///< 0: an ICMP error that we originated, which is counted elsewhere
  std::uint32_t bytes = 0;
  /// A word, so that a copy has no padding: two registers, not stores that one load reads back.
  enum class Kind : std::uint32_t { packet, relayed_error } kind = Kind::packet;
};

class TunWriter {
 public:
  /// `queues`, `stats` and `flows` are the worker's and must outlive the writer. `batch_writes`: the
  /// capacity of `queues` for writes. `has_virtio_header`: false if TUN accepts neither
  /// super-packets nor unfinished checksums.
  TunWriter(io::PacketIo& queues, TunnelStats& stats, FlowPinning& flows, std::size_t batch_writes,
            bool has_virtio_header);

  /// Packets must be written by write_segments(): TUN accepts no super-packets.
  [[nodiscard]] bool needs_segments() const noexcept { return !segment_headers_.empty(); }
  [[nodiscard]] bool is_empty() const noexcept { return pending_.empty(); }

  /// Queues a packet. Its bytes stay valid until submit(). If the batch is full, submits it first;
  /// no send may be queued then.
  void write(const io::TunPacket& packet, PendingWrite pending) noexcept;
  /// Queues the segments of a super-packet, or a packet with its checksum completed. `meta`
  /// describes the packet. Counts a packet that cannot be segmented or completed as dropped.
  void write_segments(io::Packet& packet, const PacketMeta& meta,
                      const PendingWrite& pending) noexcept;

  /// Stores the pins of the round's flows, passes all queued sends and writes to the kernel, and
  /// counts the writes. Returns the results of the sends, valid until the next send or write.
  std::span<const int> submit() noexcept;

 private:
  void count(std::span<const int> results) noexcept;

  io::PacketIo& queues_;
  TunnelStats& stats_;
  FlowPinning& flows_;
  std::size_t batch_writes_;
  io::LineVector<PendingWrite> pending_;  ///< in the order of the writes
  /// One block of kMaxInnerHeaderBytes for each pending write; empty if TUN accepts super-packets.
  io::LineVector<std::byte> segment_headers_;
};

}  // namespace culvert
