// SIGINT, SIGTERM and SIGHUP end a run at its next wait. Destructors then clean up. One thread.
#pragma once

#include <chrono>

#include "io/result.h"

namespace culvert::bench {

/// Installs handlers: the three signals are recorded and interrupt the current wait.
void catch_stop_signals() noexcept;

/// The first received signal; 0: none.
[[nodiscard]] int stopped_by() noexcept;

/// Fails if a signal was received.
[[nodiscard]] Result<void> check_stopped();

/// Sleeps for `duration`. Fails as soon as a signal is received.
[[nodiscard]] Result<void> pause(std::chrono::nanoseconds duration);

}  // namespace culvert::bench
