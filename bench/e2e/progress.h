// What happens, on stderr: on a terminal one line that is overwritten, otherwise a line for each
// work of each round. One thread.
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

  /// What is being done now: shown on a terminal only.
  void show_step(std::string_view what);
  /// One of the steps is done.
  void step_done() { ++done_; }
  /// A line that stays.
  void note(std::string_view line);
  /// A line that stays unless this is a terminal, where show_step() has said it.
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
