// Fetching ahead what packets are going to be looked up in, on a device with more tunnels than
// caches hold: a packet's tunnel, its path and its counters have come from memory by the packet's
// turn. It only guesses, from the packet's addresses, and decides nothing. One worker's thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "engine/tables/tables.h"
#include "engine/tables/tunnel_stats.h"
#include "io/packet.h"

namespace culvert {

class TunnelPrefetcher {
 public:
  /// Tunnels of a device from which on it is worth the work.
  static constexpr std::size_t kMinTunnels = 256;

  /// Both outlive this.
  TunnelPrefetcher(const Tables& tables, const TunnelStats& stats) noexcept
      : tables_(tables), tunnel_stats_(stats), is_enabled_(tables.slots().size() >= kMinTunnels) {}

  /// Before the turn of packet `i` of `packets`, which come from TUN. Asked for one after the
  /// other, each 0 begins anew.
  void outbound(std::span<const io::Packet> packets, std::size_t i) noexcept;
  /// The same for packets that come from tunnels.
  void inbound(std::span<const io::Packet> packets, std::size_t i) noexcept;

 private:
  static constexpr std::uint32_t kNone = UINT32_MAX;
  /// Packets between a step and the packet's turn. One step needs what the one before has fetched.
  static constexpr std::size_t kSlotAhead = 9, kTunnelAhead = 6, kPathAhead = 3, kRing = 16;

  template <class PredictSlot>
  void advance(std::span<const io::Packet> packets, std::size_t i,
               PredictSlot predict_slot) noexcept;
  void fetch_tunnel(std::uint32_t slot) const noexcept;
  void fetch_path(std::uint32_t slot) const noexcept;

  const Tables& tables_;
  const TunnelStats& tunnel_stats_;
  const bool is_enabled_;
  std::array<std::uint32_t, kRing> slots_{};  ///< packet i's is at i modulo kRing; kNone: no guess
  std::size_t with_slot_ = 0, with_tunnel_ = 0, with_path_ = 0;  ///< packets that have had the step
};

}  // namespace culvert
