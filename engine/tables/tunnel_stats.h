// What one worker remembers and counts of each tunnel, by slot. What every packet touches lies in
// one cache line a tunnel; what is rare lies in columns, one for each counter, so that a counter
// that never moves costs no memory, however many tunnels there are: pages that nobody has written
// are not there.
//
// prepare(), and reading counters: the engine's owner. Everything else: the worker's thread. The
// owner prepares a slot before it publishes tables in which the slot is used, so the worker never
// meets one that is not ready.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "engine/counters.h"
#include "engine/tables/tunnel.h"
#include "io/cache_line.h"
#include "io/result.h"

namespace culvert {

/// Twice as many as there are tunnels: those that replace others are there before the others go.
inline constexpr std::size_t kMaxSlots = 2 * kMaxTunnels;

class TunnelStats {
 public:
  TunnelStats() = default;
  TunnelStats(const TunnelStats&) = delete;  // counters are where they are
  TunnelStats& operator=(const TunnelStats&) = delete;

  /// Makes a slot fit for use: counters zero, sequence numbers at their start. Outer
  /// identifications begin with `identification`. Fails with ENOMEM.
  [[nodiscard]] Result<void> prepare(std::uint32_t slot, std::uint16_t identification);

  [[nodiscard]] TunnelState& state(std::uint32_t slot) noexcept { return row(slot).state; }
  [[nodiscard]] CounterSet counters(std::uint32_t slot) noexcept {
    return {row(slot).frequent, &chunk(slot).rare[0][slot % kChunkTunnels], kChunkTunnels};
  }
  /// Fetches the row of a slot that has been prepared.
  void prefetch(std::uint32_t slot) const noexcept { __builtin_prefetch(&row(slot), 1); }
  /// What has been counted; 0 of a slot that was never prepared.
  [[nodiscard]] Totals totals(std::uint32_t slot) const noexcept;

 private:
  static constexpr std::size_t kChunkTunnels = 512;  ///< a column of a chunk is a page
  struct alignas(io::kCacheLineBytes) Row {
    FrequentCounters frequent;
    TunnelState state;
  };
  static_assert(sizeof(Row) == io::kCacheLineBytes);
  struct Chunk {
    std::array<Row, kChunkTunnels> rows;
    std::array<std::array<Counter, kChunkTunnels>, kRareCounterCount> rare;
  };
  struct Unmap {
    void operator()(Chunk* chunk) const noexcept;
  };

  [[nodiscard]] Chunk& chunk(std::uint32_t slot) const noexcept {
    return *chunks_[slot / kChunkTunnels];
  }
  [[nodiscard]] Row& row(std::uint32_t slot) const noexcept {
    return chunk(slot).rows[slot % kChunkTunnels];
  }

  std::array<std::unique_ptr<Chunk, Unmap>, (kMaxSlots + kChunkTunnels - 1) / kChunkTunnels>
      chunks_;
};

}  // namespace culvert
