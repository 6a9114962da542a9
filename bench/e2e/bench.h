// A whole run: all tunnels up, all works in all rounds, and what came of it. One thread.
#pragma once

#include "bench/e2e/plan.h"
#include "bench/e2e/results.h"

namespace culvert::bench {

/// One sentence for what is missing here, before anything is made.
[[nodiscard]] Result<void> check_machine();

/// Runs a plan. A peer that is not there is left out; a turn that fails is noted, and the run goes
/// on. Fails if a culvert cannot be made, or a signal came.
[[nodiscard]] Result<Report> run(const Plan& plan);

}  // namespace culvert::bench
