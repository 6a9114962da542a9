// Progress: shows the progress of a run on stderr. On a terminal it overwrites one line, otherwise
// it prints a line per work and round. One thread.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

namespace culvert::bench {

class Progress {
 public:
  explicit Progress(unsigned steps);
  ~Progress() { clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// Shows the current step, on a terminal only.
  void show_step(std::string_view what);
  /// Counts a finished step.
  void step_done() { ++done_; }
  /// Prints a permanent line.
  void note(std::string_view line);
  /// Prints a permanent line, except on a terminal, where show_step() has shown it.
  void milestone(std::string_view line);

 private:
  void clear();
  [[nodiscard]] std::string time_left() const;

  unsigned steps_;
  unsigned done_ = 0;
  bool is_terminal_;
  bool is_dirty_ = false;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace culvert::bench
