// What `show flows` says: the flows of devices as JSON, and that JSON as a table. Pure functions;
// any thread.
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
  std::vector<FlowStatus> flows;  ///< those that had a packet last; there may be more
};

/// How many flows of a device are listed where nobody says so.
inline constexpr std::size_t kListedFlows = 1'000;

/// {"devices":[{"name":…,"flows":…,"limit":…,…,"list":[…]}]} on one line.
[[nodiscard]] std::string flows_json(std::span<const DeviceFlows> devices);

/// A table for people, of what flows_json() wrote and merge_reports() has put together.
[[nodiscard]] Result<std::string> flows_table(std::string_view json);

}  // namespace culvert::program
