#include "io/wake_event.h"

#include <poll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <cerrno>

namespace culvert::io {

Result<void> WakeEvent::open(const std::string& object) {
  if (event_) return {};
  event_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (event_) return {};
  return Unexpected{
      Error{.code = errno, .operation = "open eventfd for", .object = object, .advice = ""}};
}

void WakeEvent::wake() noexcept {
  if (event_) ::eventfd_write(event_.get(), 1);
}

void WakeEvent::sleep(std::chrono::nanoseconds timeout) noexcept {
  using std::chrono::seconds;
  timeout = std::max(timeout, std::chrono::nanoseconds{0});
  const auto whole = std::chrono::duration_cast<seconds>(timeout);
  const timespec limit{.tv_sec = whole.count(), .tv_nsec = (timeout - whole).count()};
  pollfd polled{.fd = event_.get(), .events = POLLIN, .revents = 0};
  eventfd_t wakes = 0;
  if (::ppoll(&polled, 1, &limit, nullptr) > 0) ::eventfd_read(event_.get(), &wakes);
}

}  // namespace culvert::io
