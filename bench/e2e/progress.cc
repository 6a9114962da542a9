#include "bench/e2e/progress.h"

#include <unistd.h>

#include <cstdio>

namespace culvert::bench {
namespace {

void write_out(const std::string& text) {
  // Errors are ignored: the figures do not depend on this line.
  (void)!::write(STDERR_FILENO, text.data(), text.size());
}

}  // namespace

Progress::Progress(unsigned steps) : steps_(steps), is_terminal_(::isatty(STDERR_FILENO) == 1) {}

void Progress::clear() {
  if (is_dirty_) write_out("\r\x1b[K");
  is_dirty_ = false;
}

std::string Progress::time_left() const {
  if (done_ == 0 || steps_ <= done_) return {};
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start_;
  const auto seconds = static_cast<unsigned>(elapsed.count() / done_ * (steps_ - done_));
  char text[32];
  std::snprintf(text, sizeof text, ", %u:%02u left", seconds / 60, seconds % 60);
  return text;
}

void Progress::show_step(std::string_view what) {
  if (!is_terminal_) return;
  const unsigned percent = steps_ == 0 ? 0 : done_ * 100 / steps_;
  write_out("\r\x1b[K" + std::to_string(percent) + " %" + time_left() + ": " + std::string{what});
  is_dirty_ = true;
}

void Progress::note(std::string_view line) {
  clear();
  write_out(std::string{line} + "\n");
}

void Progress::milestone(std::string_view line) {
  if (!is_terminal_) note(line);
}

}  // namespace culvert::bench
