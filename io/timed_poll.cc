#include "io/timed_poll.h"

#include <algorithm>

namespace culvert::io {

bool poll_for(std::span<pollfd> polled, std::chrono::nanoseconds timeout) noexcept {
  timeout = std::max<std::chrono::nanoseconds>(timeout, {});
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(timeout);
  const timespec limit{.tv_sec = seconds.count(), .tv_nsec = (timeout - seconds).count()};
  return ::ppoll(polled.data(), polled.size(), &limit, nullptr) > 0;
}

}  // namespace culvert::io
