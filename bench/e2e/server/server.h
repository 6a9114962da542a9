// `culvert-bench --server`: runs all works. One thread.
#pragma once

#include "bench/e2e/server/report.h"
#include "bench/e2e/server/session.h"

namespace culvert::bench::server {

/// Runs a plan. A work that fails is noted in the report, and the run continues. Fails after a
/// signal.
[[nodiscard]] Result<Report> run(const Plan& plan);

// Each work sets up its rig, measures, and removes the rig.
[[nodiscard]] Result<void> measure_ndp(Session& session);
[[nodiscard]] Result<void> measure_storm(Session& session);
[[nodiscard]] Result<void> measure_load(Session& session);
[[nodiscard]] Result<void> measure_tunnels(Session& session);
[[nodiscard]] Result<void> measure_add(Session& session);
[[nodiscard]] Result<void> measure_flows(Session& session);

}  // namespace culvert::bench::server
