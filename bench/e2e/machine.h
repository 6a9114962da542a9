// The machine of a run. Any thread.
#pragma once

#include <cstddef>
#include <string>

namespace culvert::bench {

struct Machine {
  std::string kernel;  ///< "Linux 6.18.5"
  std::size_t cpus = 0;
  double load_average = 0;  ///< before the run

  /// The current state of this machine.
  [[nodiscard]] static Machine look();
  /// Whether other processes use so much CPU time that it affects the figures.
  [[nodiscard]] bool was_busy() const;
};

/// "Linux 6.18.5, 2 CPUs.", and another line if the machine was busy.
[[nodiscard]] std::string to_text(const Machine& machine);

}  // namespace culvert::bench
