// WakeEvent: lets any thread end the sleep of another one.
#pragma once

#include <chrono>
#include <string>

#include "io/event_fd.h"
#include "io/result.h"

namespace culvert::io {

/// Before open() wake() has no effect.
class WakeEvent {
 public:
  /// Opens the eventfd, unless it is open. `object`: its user, for the error's text. Called before
  /// other threads use the event.
  [[nodiscard]] Result<void> open(const std::string& object);

  /// Ends the current sleep(), or the next one if none is running. Any thread; one system call.
  void wake() noexcept;
  /// Sleeps until wake() or for `timeout`. One call consumes all wakes since the last one. One
  /// thread.
  void sleep(std::chrono::nanoseconds timeout) noexcept;

 private:
  EventFd event_;
};

}  // namespace culvert::io
