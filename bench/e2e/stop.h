// SIGINT, SIGTERM and SIGHUP end a run at the next wait; what was made goes with its owners. One
// thread.
#pragma once

#include <chrono>

#include "io/result.h"

namespace culvert::bench {

/// From now on the three signals only leave a mark, and end the wait that is under way.
void catch_stop_signals() noexcept;

/// The first signal that came; 0: none.
[[nodiscard]] int stopped_by() noexcept;

/// Fails once a signal has come.
[[nodiscard]] Result<void> check_stopped();

/// Sleeps; fails as soon as a signal comes.
[[nodiscard]] Result<void> pause(std::chrono::nanoseconds duration);

}  // namespace culvert::bench
