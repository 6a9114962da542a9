// One turn: one work through one tunnel for a moment. One thread.
#pragma once

#include <chrono>

#include "bench/e2e/results.h"
#include "bench/e2e/tunnel.h"

namespace culvert::bench {

/// How long one turn is at most: the speed of the machine drifts within seconds.
inline constexpr std::chrono::milliseconds kLoadTurn{1000}, kLatencyTurn{500};
inline constexpr std::chrono::milliseconds kWarmUp{100};    ///< TCP's slow start; queues that fill
inline constexpr std::chrono::milliseconds kDrainTime{30};  ///< queues that empty, before the next

/// The turns that a work's seconds are cut into.
[[nodiscard]] unsigned turns_of(const Work& work, std::chrono::seconds duration);

/// Fills in figures, CPU use and samples; the rest is the caller's.
[[nodiscard]] Result<Turn> measure(Tunnel& tunnel, const Work& work,
                                   std::chrono::nanoseconds duration);

}  // namespace culvert::bench
