// A whole run: sets up all tunnels, measures all works in all rounds, and returns the report. One
// thread.
#pragma once

#include "bench/e2e/plan.h"
#include "bench/e2e/results.h"

namespace culvert::bench {

/// Fails with one sentence if this machine lacks a requirement. Creates nothing.
[[nodiscard]] Result<void> check_machine();

/// Runs a plan. Other tunnels that this machine does not have are left out. A turn that fails is
/// noted in the report, and the run continues. Fails if a culvert tunnel cannot be set up, or after
/// a signal.
[[nodiscard]] Result<Report> run(const Plan& plan);

}  // namespace culvert::bench
