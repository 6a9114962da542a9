// What `show` and the totals at the end say: the status of engines as JSON, and that JSON as a
// table. Pure functions; any thread.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/engine.h"
#include "tools/culvert/show/ndp_report.h"

namespace culvert::program {

/// {"devices":[…],"ndp":[…]} on one line; without `ndp` if there is none. `drops` and `ignored`
/// have the reasons that are not 0.
[[nodiscard]] std::string report_json(std::span<const EngineStatus> devices,
                                      std::span<const NdpReport> ndp = {});

/// Several reports in one, sorted by name. `name`: only that device or interface; empty: all.
/// Fails if an answer is an error, or no report at all.
[[nodiscard]] Result<std::string> merge_reports(std::span<const std::string> answers,
                                                std::string_view name);

/// A report for people.
[[nodiscard]] Result<std::string> report_table(std::string_view json);

}  // namespace culvert::program
