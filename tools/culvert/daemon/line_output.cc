#include "tools/culvert/daemon/line_output.h"

#include <limits.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>

namespace culvert::program {

/// A reader that has stopped costs the wait once.
bool LineOutput::wait_for_reader() {
  pollfd poll{.fd = fd_, .events = POLLOUT, .revents = 0};
  const auto limit = dropped_count_ == 0 ? patience_ : std::chrono::milliseconds{0};
  return ::poll(&poll, 1, static_cast<int>(limit.count())) == 1;
}

/// A pipe that is ready takes PIPE_BUF bytes without blocking (pipe(7)). Returns false if the reader
/// has stopped.
bool LineOutput::write_all(std::string_view text) {
  while (!text.empty()) {
    if (!wait_for_reader()) return false;
    const auto size = std::min<std::size_t>(text.size(), PIPE_BUF);
    const ssize_t written = ::write(fd_, text.data(), size);
    if (written < 0 && errno != EINTR) return true;
    if (written > 0) text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

void LineOutput::write(std::string_view text) {
  const std::lock_guard lock(mutex_);
  if (dropped_count_ != 0 && wait_for_reader()) {
    const std::string line = "culvert: " + std::to_string(dropped_count_) +
                             " texts were dropped here, because nobody read them\n";
    if (write_all(line)) dropped_count_ = 0;
  }
  if (dropped_count_ != 0 || !write_all(text)) ++dropped_count_;
}

}  // namespace culvert::program
