// What a run was made on. Any thread.
#pragma once

#include <cstddef>
#include <string>

namespace culvert::bench {

struct Machine {
  std::string kernel;  ///< "Linux 6.18.5"
  std::size_t cpus = 0;
  double load_average = 0;  ///< before it began

  /// As it is now.
  [[nodiscard]] static Machine look();
  /// What else ran would be seen in the figures.
  [[nodiscard]] bool was_busy() const;
};

/// "Linux 6.18.5, 2 CPUs.", and a line more if it was busy.
[[nodiscard]] std::string to_text(const Machine& machine);

}  // namespace culvert::bench
