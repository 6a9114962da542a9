// What of a server is to be measured, from what was asked for. Any thread.
#pragma once

#include <string>
#include <vector>

#include "bench/e2e/plan.h"
#include "bench/e2e/server/figures.h"
#include "io/result.h"

namespace culvert::bench::server {

/// As the command line gives them.
struct Counts {
  unsigned tunnels = 10'000;
  unsigned solicitations = 1'000'000;
};

struct Plan {
  std::vector<WorkKind> works;
  std::vector<program::OptionText> options;  ///< of culvert run
  unsigned rounds = 0;
  unsigned seconds = 0;  ///< of each figure in each round
  Counts counts;
};

inline constexpr unsigned kMaxTunnels = 10'000;  // of one device

/// `arguments`: without tunnels and modes, which make no sense here. Fails, with what to do, if the
/// words make no sense; what `culvert run` would refuse too.
[[nodiscard]] Result<Plan> make_plan(const Arguments& arguments, const Counts& counts);

}  // namespace culvert::bench::server
