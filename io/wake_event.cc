#include "io/wake_event.h"

#include <poll.h>

#include <algorithm>
#include <utility>

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
  using std::chrono::seconds;
  timeout = std::max(timeout, std::chrono::nanoseconds{0});
  const auto whole = std::chrono::duration_cast<seconds>(timeout);
  const timespec limit{.tv_sec = whole.count(), .tv_nsec = (timeout - whole).count()};
  pollfd polled{.fd = event_.fd(), .events = POLLIN, .revents = 0};
  if (::ppoll(&polled, 1, &limit, nullptr) > 0) event_.clear();
}

}  // namespace culvert::io
