#include "io/wake_event.h"

#include <utility>

#include "io/timed_poll.h"

namespace culvert::io {

Result<void> WakeEvent::open(const std::string& object) {
  if (event_.fd() >= 0) return {};
  auto event = EventFd::open(object);
  if (!event) return Unexpected{event.error()};
  event_ = std::move(*event);
  return {};
}

void WakeEvent::wake() noexcept {
  if (event_.fd() >= 0) event_.signal();
}

void WakeEvent::sleep(std::chrono::nanoseconds timeout) noexcept {
  pollfd polled{.fd = event_.fd(), .events = POLLIN, .revents = 0};
  if (poll_for({&polled, 1}, timeout)) event_.clear();
}

}  // namespace culvert::io
