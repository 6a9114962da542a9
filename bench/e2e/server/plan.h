// The plan of `culvert-bench --server`, made from the arguments. Any thread.
#pragma once

#include <string>
#include <vector>

#include "bench/e2e/plan.h"
#include "bench/e2e/server/figures.h"
#include "io/result.h"

namespace culvert::bench::server {

/// The sizes that the command line sets.
struct Counts {
  unsigned tunnels = 10'000;
  unsigned solicitations = 1'000'000;
};

struct Plan {
  std::vector<WorkKind> works;
  std::vector<program::OptionText> options;  ///< for `culvert run`
  unsigned rounds = 0;
  unsigned seconds = 0;  ///< per figure and round
  Counts counts;
};

inline constexpr unsigned kMaxTunnels = 10'000;  // of one device

/// Makes a plan. Ignores the tunnels and modes of `arguments`. Fails, with advice, if an argument
/// is invalid, or if `culvert run` would refuse an option.
[[nodiscard]] Result<Plan> make_plan(const Arguments& arguments, const Counts& counts);

}  // namespace culvert::bench::server
