// Waits for descriptors with a limit in nanoseconds: ppoll(2). Any thread.
#pragma once

#include <poll.h>

#include <chrono>
#include <span>

namespace culvert::io {

/// Waits for the events of `polled`, at most for `timeout`; a negative one counts as 0. Returns
/// whether there are any, which then stand in `revents`. A signal ends the wait without events.
bool poll_for(std::span<pollfd> polled, std::chrono::nanoseconds timeout) noexcept;

}  // namespace culvert::io
