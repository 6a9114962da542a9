// EventFd: wakes a thread that waits for descriptors (eventfd(2)). signal(): any thread. All other
// functions: one thread.
#pragma once

#include <cstdint>
#include <string>

#include "io/fd.h"
#include "io/result.h"

namespace culvert::io {

class EventFd {
 public:
  /// Whether a read waits for the next signal. io_uring needs `blocking`: it completes the read of
  /// a non-blocking descriptor at once, with EAGAIN.
  enum class Mode : std::uint8_t { non_blocking, blocking };

  /// `object`: the user of the descriptor, for the error. Fails with EMFILE, ENFILE or ENOMEM.
  [[nodiscard]] static Result<EventFd> open(const std::string& object,
                                            Mode mode = Mode::non_blocking);

  EventFd() = default;  ///< without a descriptor, until open() is assigned
  [[nodiscard]] int fd() const noexcept { return fd_.get(); }

  /// Makes the descriptor readable until the next clear().
  void signal() const noexcept;
  /// Only for Mode::non_blocking: with `blocking` the reader ends the signal.
  void clear() const noexcept;

 private:
  explicit EventFd(Fd fd) noexcept : fd_(std::move(fd)) {}

  Fd fd_;
};

}  // namespace culvert::io
