// LineOutput: writes lines to stdout or stderr without waiting for a reader. Any thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <mutex>
#include <string_view>

namespace culvert::program {

/// A pipe, terminal or socket that nobody reads fills up, and then write() blocks: with it the thread
/// that answers `culvert show` and follows the network. So this object waits for the reader once,
/// for a short time, and then drops lines until the reader goes on.
class LineOutput {
 public:
  /// `fd`: stays open as long as the object. `patience`: how long a write may wait.
  explicit LineOutput(int fd, std::chrono::milliseconds patience = std::chrono::milliseconds{500})
      : fd_(fd), patience_(patience) {}

  /// Writes whole lines. Ignores errors: a tunnel must not stop because nobody reads its output. When
  /// the reader goes on, a line says how many texts were dropped.
  void write(std::string_view text);

 private:
  [[nodiscard]] bool write_all(std::string_view text);
  [[nodiscard]] bool wait_for_reader();

  const int fd_;
  const std::chrono::milliseconds patience_;
  std::mutex mutex_;
  std::size_t dropped_count_ = 0;  ///< since the reader stopped
};

}  // namespace culvert::program
