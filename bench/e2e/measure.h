// One turn: measures one work through one tunnel for a short time. One thread.
#pragma once

#include <chrono>

#include "bench/e2e/results.h"
#include "bench/e2e/tunnel.h"

namespace culvert::bench {

/// The longest time of one turn: the speed of the machine drifts within seconds.
inline constexpr std::chrono::milliseconds kLoadTurn{1000}, kLatencyTurn{500};
inline constexpr std::chrono::milliseconds kWarmUp{100};    ///< TCP slow start; queues fill
inline constexpr std::chrono::milliseconds kDrainTime{30};  ///< queues drain before the next turn

/// The number of turns for the seconds of a work.
[[nodiscard]] unsigned turns_of(const Work& work, std::chrono::seconds duration);

/// Measures one turn. Sets figures, CPU use and samples; the caller sets the other members.
[[nodiscard]] Result<Turn> measure(Tunnel& tunnel, const Work& work,
                                   std::chrono::nanoseconds duration);

}  // namespace culvert::bench
