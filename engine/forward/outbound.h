// The outbound direction, TUN to tunnel: decides about one packet and puts its outer packets into a
// batch. No system call except when a full batch is flushed; no allocation, no lock, no clock. One
// worker's thread. The stages of a packet:
//
//  1. classify: OutboundPacket::classify(), ahead of the packet's turn (forward/prefetcher.h)
//  2. trim the padding behind the packet
//  3. tunnel: the pin of its flow, else the tables' choice (TunnelSelector): select_tunnel()
//  4. the tunnel is up and carries this IP version
//  5. outer endpoints, and no routing loop: outer_endpoints(), FlowPinning::has_arrived_by()
//  6. record the flow: FlowPinning::sent()
//  7. size limits and MSS: fit_packet(), clamp_to_mtu()
//  8. super-packet: segments (Gso), or unsegmented if the kernel segments it;
//     other packet: checksum (complete_checksum())
//  9. outer header and encapsulation; fragments where it does not fit (Ipv4Fragmenter)
// 10. batch: OutboundBatch, which the worker sends
//
// engine/README.md names the drop reasons of each stage.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "engine/drop_reason.h"
#include "engine/flows/flow_pinning.h"
#include "engine/model/packet_meta.h"
#include "engine/tables/tables.h"
#include "engine/tables/tunnel_stats.h"
#include "io/cache_line.h"
#include "io/packet.h"
#include "io/packet_io.h"

namespace culvert {

/// A packet from TUN, classified.
struct alignas(io::kCacheLineBytes) OutboundPacket {
  PacketMeta meta{};  ///< without an IP header if the packet must not be read
  FlowPacket flow{};  ///< without a flow table the role is none
  /// Of the tables that outbound() gets. Unknown: they are looked up when no pin leads the packet.
  TunnelChoice choice{};

  /// Classifies the packet and counts the packets that it stands for. Sets neither flow nor choice.
  void classify(const io::Packet& packet) noexcept;
};

/// An outer packet and the numbers to count once it is sent.
struct OutboundDatagram {
  io::Datagram datagram;
  std::uint32_t tunnel = 0;  ///< index of the tunnel
  /// Packets to count: 1; the segments of a super-packet; or 0 for a fragment that is not the first
  /// of its packet.
  std::uint32_t packets = 0;
  std::uint32_t inner_bytes = 0;
};

/// Datagrams to be sent together, and header blocks for headers that do not fit in front of a
/// packet. Both have a fixed number; a full batch is flushed.
class OutboundBatch {
 public:
  /// Outer header of a fragment (60), GRE (16), headers of a segment (192) and some room.
  static constexpr std::size_t kBlockBytes = 320;

  explicit OutboundBatch(std::size_t capacity);
  virtual ~OutboundBatch() = default;

  /// Returns a header block for the datagram that is added next. It stays valid until that datagram
  /// has been flushed.
  [[nodiscard]] std::span<std::byte> block() noexcept {
    if (datagrams_.size() == capacity_) flush_and_clear();
    return {blocks_.data() + datagrams_.size() * kBlockBytes, kBlockBytes};
  }
  /// Appends a datagram for the caller to fill in place (proto/in_place.h says why).
  [[nodiscard]] OutboundDatagram& add() noexcept {
    if (datagrams_.size() == capacity_) flush_and_clear();
    return datagrams_.emplace_back();
  }
  [[nodiscard]] std::span<const OutboundDatagram> datagrams() const noexcept { return datagrams_; }
  /// False after stop_super_packets(): each segment is a datagram of its own, whatever the next hop
  /// could segment.
  [[nodiscard]] bool takes_super_packets() const noexcept { return takes_super_packets_; }
  void stop_super_packets() noexcept { takes_super_packets_ = false; }
  void flush_and_clear() noexcept {
    flush();
    datagrams_.clear();
  }

 protected:
  /// Sends datagrams() and counts the results.
  virtual void flush() noexcept = 0;

 private:
  std::size_t capacity_;
  bool takes_super_packets_ = true;
  io::LineVector<OutboundDatagram> datagrams_;
  io::LineVector<std::byte> blocks_;
};

/// Selects the tunnel of one packet and encapsulates it. `packet`: an inner packet or super-packet
/// from TUN; untrusted. It is modified (MSS, checksum, an outer header in front) and must stay in
/// place until the batch is flushed. `classified`: the same packet, from the Prefetcher. `stats`,
/// `flows`: this worker's.
[[nodiscard]] Verdict outbound(io::Packet& packet, const OutboundPacket& classified,
                               const Tables& tables, TunnelStats& stats, FlowPinning& flows,
                               OutboundBatch& batch) noexcept;

}  // namespace culvert
