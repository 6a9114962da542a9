// TunnelPrefetcher: prefetches the tunnel, path and counters of each packet, on a device with more
// tunnels than caches hold. Memory has delivered these lines by the packet's turn. It only predicts
// the tunnel from the packet's addresses and decides nothing. One worker's thread.
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
  /// Devices with fewer tunnels do not prefetch: the caches hold them.
  static constexpr std::size_t kMinTunnels = 256;

  /// Both must outlive this object.
  TunnelPrefetcher(const Tables& tables, const TunnelStats& stats) noexcept
      : tables_(tables), tunnel_stats_(stats), is_enabled_(tables.slots().size() >= kMinTunnels) {}

  /// Called before the turn of packet `i` of the outbound `packets`, for i = 0, 1, ... in order.
  void outbound(std::span<const io::Packet> packets, std::size_t i) noexcept;
  /// The same for inbound packets.
  void inbound(std::span<const io::Packet> packets, std::size_t i) noexcept;

 private:
  static constexpr std::uint32_t kNone = UINT32_MAX;
  /// Prefetch distances in packets. Each step needs the lines that the step before has prefetched.
  static constexpr std::size_t kSlotDistance = 9, kTunnelDistance = 6, kPathDistance = 3,
                               kRing = 16;

  template <class PredictSlot>
  void advance(std::span<const io::Packet> packets, std::size_t i,
               PredictSlot predict_slot) noexcept;
  void fetch_tunnel(std::uint32_t slot) const noexcept;
  void fetch_path(std::uint32_t slot) const noexcept;

  const Tables& tables_;
  const TunnelStats& tunnel_stats_;
  const bool is_enabled_;
  /// Slot of packet i at index i modulo kRing; kNone: no prediction.
  std::array<std::uint32_t, kRing> slots_{};
  std::size_t with_slot_ = 0, with_tunnel_ = 0, with_path_ = 0;  ///< packets whose step is done
};

}  // namespace culvert
