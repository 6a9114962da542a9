// TunnelStats: one worker's counters and state of each tunnel, by slot. Hot fields fill one cache
// line per tunnel. Rare counters are stored column-wise, one column per counter, so the page of an
// unused counter is never touched and costs no memory.
//
// Threads: the engine's owner calls prepare() and totals(); everything else is for the worker's
// thread. The owner prepares a slot before it publishes tables that use the slot, so the worker
// never uses an unprepared slot.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "engine/counters.h"
#include "engine/tables/tunnel.h"
#include "io/cache_line.h"
#include "io/pages.h"
#include "io/result.h"

namespace culvert {

/// Twice the tunnels of a device: new tunnels get slots before the tunnels that they replace
/// release theirs.
inline constexpr std::size_t kMaxSlots = 2 * kMaxTunnels;

class TunnelStats {
 public:
  TunnelStats() = default;
  TunnelStats(const TunnelStats&) = delete;  // counters must not move
  TunnelStats& operator=(const TunnelStats&) = delete;

  /// Prepares a slot for a new tunnel: counters and sequence numbers start anew. The first outer
  /// identification follows `identification`. Fails with ENOMEM.
  [[nodiscard]] Result<void> prepare(std::uint32_t slot, std::uint16_t identification);

  [[nodiscard]] TunnelState& state(std::uint32_t slot) noexcept { return row(slot).state; }
  [[nodiscard]] CounterSet counters(std::uint32_t slot) noexcept {
    return {row(slot).frequent, &chunk(slot).rare[0][slot % kChunkTunnels], kChunkTunnels};
  }
  /// Prefetches the hot fields of a prepared slot.
  void prefetch(std::uint32_t slot) const noexcept { __builtin_prefetch(&row(slot), 1); }
  /// Returns the counters of a slot; all 0 if it was never prepared.
  [[nodiscard]] Totals totals(std::uint32_t slot) const noexcept;

 private:
  static constexpr std::size_t kChunkTunnels = 512;  ///< one column of a chunk fills one page
  struct alignas(io::kCacheLineBytes) Row {
    FrequentCounters frequent;
    TunnelState state;
  };
  static_assert(sizeof(Row) == io::kCacheLineBytes);
  struct Chunk {
    std::array<Row, kChunkTunnels> rows;
    std::array<std::array<Counter, kChunkTunnels>, kRareCounterCount> rare;
  };

  [[nodiscard]] Chunk& chunk(std::uint32_t slot) const noexcept {
    return *reinterpret_cast<Chunk*>(chunks_[slot / kChunkTunnels].data());
  }
  [[nodiscard]] Row& row(std::uint32_t slot) const noexcept {
    return chunk(slot).rows[slot % kChunkTunnels];
  }

  std::array<io::Pages, (kMaxSlots + kChunkTunnels - 1) / kChunkTunnels> chunks_;
};

}  // namespace culvert
