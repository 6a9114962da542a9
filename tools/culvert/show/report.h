// The report of `show` and of the end of `run`: the status of engines and NDP proxies as JSON, and
// that JSON as a table for people. Pure functions; any thread.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/engine.h"
#include "tools/culvert/show/ndp_report.h"

namespace culvert::program {

/// The state of one device.
struct DeviceReport : EngineStatus {
  std::vector<std::string> warnings;  ///< what keeps it from working (warnings.h)
};

/// One line: {"devices":[…],"ndp":[…]}; without `ndp` if there is no proxy. `drops` and `ignored`
/// have only the reasons whose count is not 0.
[[nodiscard]] std::string report_json(std::span<const DeviceReport> devices,
                                      std::span<const NdpReport> ndp = {});

/// Merges the reports of several processes, sorted by name. `name`: only this device or interface;
/// empty: all. Fails if an answer is an error, or not a report.
[[nodiscard]] Result<std::string> merge_reports(std::span<const std::string> answers,
                                                std::string_view name);

/// The table of a report. Fails if it is an error, or of another version of culvert.
[[nodiscard]] Result<std::string> report_table(std::string_view json);

}  // namespace culvert::program
