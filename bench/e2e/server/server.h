// `culvert-bench --server`: a whole run, and its works. One thread.
#pragma once

#include "bench/e2e/server/report.h"
#include "bench/e2e/server/session.h"

namespace culvert::bench::server {

/// Runs a plan. A work that fails is noted, and the run goes on. Fails if a signal came.
[[nodiscard]] Result<Report> run(const Plan& plan);

// Each opens what it needs, and closes it.
[[nodiscard]] Result<void> measure_ndp(Session& session);
[[nodiscard]] Result<void> measure_storm(Session& session);
[[nodiscard]] Result<void> measure_load(Session& session);
[[nodiscard]] Result<void> measure_tunnels(Session& session);
[[nodiscard]] Result<void> measure_add(Session& session);
[[nodiscard]] Result<void> measure_flows(Session& session);

}  // namespace culvert::bench::server
