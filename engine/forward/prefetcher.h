// Prefetcher: classifies the packets of a round some packets ahead of their turn and prefetches the
// memory that they will need: the entries of their flows and, on a device with more tunnels than
// caches hold, tunnel, path and counters. Memory has delivered these lines by the packet's turn. For
// them it looks the tunnel up: an outbound packet without a pin follows that choice, an inbound
// packet's tunnel is only predicted. One worker's thread; no allocation.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "engine/flows/flow_table.h"
#include "engine/forward/outbound.h"
#include "engine/tables/tables.h"
#include "engine/tables/tunnel_stats.h"
#include "io/packet.h"

namespace culvert {

class Prefetcher {
 public:
  /// With fewer tunnels no tunnel is prefetched: the caches hold them all.
  static constexpr std::size_t kMinTunnels = 256;

  /// Both must outlive this object. `flows` may be null.
  Prefetcher(FlowTable* flows, const TunnelStats& stats) noexcept
      : flows_(flows), tunnel_stats_(stats) {}

  /// Starts a round. `tables`: those of the round.
  void begin(const Tables& tables) noexcept {
    tables_ = &tables;
    predicts_tunnels_ = tables.slots().size() >= kMinTunnels;
  }

  /// Returns packet `i` of the outbound `packets`, classified. Called for i = 0, 1, ... in order;
  /// valid until the next call.
  [[nodiscard]] const OutboundPacket& outbound(std::span<const io::Packet> packets,
                                               std::size_t i) noexcept;
  /// Called before the turn of packet `i` of the inbound `packets`, likewise in order. An inbound
  /// packet is classified only after decapsulation.
  void inbound(std::span<const io::Packet> packets, std::size_t i) noexcept;

 private:
  static constexpr std::uint32_t kNoSlot = UINT32_MAX;
  /// Prefetch distances in packets. Each step needs the lines that the step before has prefetched.
  static constexpr std::size_t kClassifyDistance = 15, kFlowDistance = 8, kTunnelDistance = 6,
                               kPathDistance = 3, kRing = kClassifyDistance + 1;

  void classify(const io::Packet& packet, OutboundPacket& result) noexcept;
  void choose_tunnel(const io::Packet& packet, OutboundPacket& result, std::size_t i) noexcept;
  void predict_slot(std::optional<std::uint32_t> slot, std::size_t i) noexcept;
  void prefetch_tunnels(std::size_t i, std::size_t count) const noexcept;
  void prefetch_tunnel(std::uint32_t slot) const noexcept;
  void prefetch_path(std::uint32_t slot) const noexcept;

  FlowTable* flows_;
  const TunnelStats& tunnel_stats_;
  const Tables* tables_ = nullptr;
  bool predicts_tunnels_ = false;
  /// Packet i is at index i modulo kRing; the same for its predicted slot.
  std::array<OutboundPacket, kRing> outbound_{};
  std::array<std::uint32_t, kRing> slots_{};
};

}  // namespace culvert
