// TUN to tunnel: a packet and tables go in, a Verdict comes out, and the outer packets lie in a
// batch. No system call (but what the batch does when it is full), no allocation, no lock, no
// clock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "engine/drop_reason.h"
#include "engine/flows/flow_pinning.h"
#include "engine/tables/tables.h"
#include "engine/tables/tunnel_stats.h"
#include "io/cache_line.h"
#include "io/packet.h"
#include "io/packet_io.h"

namespace culvert {

/// An outer packet, and what is counted when it has been sent.
struct OutboundDatagram {
  io::Datagram datagram;
  std::uint32_t tunnel = 0;   ///< index
  std::uint32_t packets = 0;  ///< 1, those that a super-packet stands for, or 0 for a fragment that
                              ///< is not the first of its packet
  std::uint32_t inner_bytes = 0;
};

/// Datagrams that wait to be sent together, and blocks for the headers that do not fit in front of
/// a packet. Both have a fixed number; when they are used up the batch is flushed.
class OutboundBatch {
 public:
  /// Outer header of a fragment (60), GRE (16), headers of a segment (192) and some room.
  static constexpr std::size_t kBlockBytes = 320;

  explicit OutboundBatch(std::size_t capacity);
  virtual ~OutboundBatch() = default;

  /// A block that stays valid until the datagram added next, which uses it, has been flushed.
  [[nodiscard]] std::span<std::byte> block() noexcept {
    if (datagrams_.size() == capacity_) flush_and_clear();
    return {blocks_.data() + datagrams_.size() * kBlockBytes, kBlockBytes};
  }
  /// One more datagram, to be filled where it is (proto/in_place.h says why).
  [[nodiscard]] OutboundDatagram& add() noexcept {
    if (datagrams_.size() == capacity_) flush_and_clear();
    return datagrams_.emplace_back();
  }
  [[nodiscard]] std::span<const OutboundDatagram> datagrams() const noexcept { return datagrams_; }
  void flush_and_clear() noexcept {
    flush();
    datagrams_.clear();
  }

 protected:
  /// Sends datagrams() and counts what became of them.
  virtual void flush() noexcept = 0;

 private:
  std::size_t capacity_;
  io::LineVector<OutboundDatagram> datagrams_;
  io::LineVector<std::byte> blocks_;
};

/// The outbound route. `packet`: from TUN, an inner packet or super-packet; it is changed (MSS,
/// checksum, an outer header in front) and must stay until the batch is flushed. `ahead`: what
/// `flows` has seen in it. `stats`, `flows`: this worker's.
[[nodiscard]] Verdict outbound(io::Packet& packet, const OutboundPacket& ahead,
                               const Tables& tables, TunnelStats& stats, FlowPinning& flows,
                               OutboundBatch& batch) noexcept;

}  // namespace culvert
