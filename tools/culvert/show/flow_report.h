// The report of `show flows`: the flow tables of devices as JSON, and that JSON as a table for
// people. Pure functions; any thread.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/flows/flow_dump.h"
#include "io/result.h"

namespace culvert::program {

/// The flow table of one device.
struct DeviceFlows {
  std::string device;
  FlowTableStatus table;
  std::vector<FlowStatus> flows;  ///< the flows with the latest packets, up to a limit
};

/// How many flows of a device are listed by default.
inline constexpr std::size_t kListedFlows = 1'000;

/// One line: {"devices":[{"name":…,"flows":…,"limit":…,…,"list":[…]}]}.
[[nodiscard]] std::string flows_json(std::span<const DeviceFlows> devices);

/// The table of a report that flows_json() has written and merge_reports() has merged. Fails if it
/// is an error, or of another version of culvert.
[[nodiscard]] Result<std::string> flows_table(std::string_view json);

}  // namespace culvert::program
