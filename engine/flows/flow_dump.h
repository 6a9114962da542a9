// Flow table listing for status output: the flows with the names of their tunnels, and the state of
// the table. Plain values; Engine::flows() and Engine::status() return them.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "engine/flows/flow_table.h"

namespace culvert {

/// One flow and the name of its outbound tunnel. FlowKey formats the endpoints: far_text(),
/// near_text(), ports, identifier().
struct FlowStatus {
  FlowRecord flow;
  std::string tunnel;
};

struct FlowTableStatus {
  bool is_pinning = false;  ///< false: `pinning = "off"`, there is no table
  std::size_t limit = 0;    ///< capacity of the table in flows
  std::size_t flows = 0;    ///< live flows
  FlowCounts counts;        ///< since the device was opened
};

/// Returns the `limit` flows that were active most recently, the latest first. Flows with equal
/// idle time are sorted by packets, the highest first. Walks the whole table.
[[nodiscard]] std::vector<FlowRecord> latest_flows(FlowTable& table, FlowTick now,
                                                   std::size_t limit);
/// Returns the state of the table. `table` may be null: pinning is off. Walks the whole table.
[[nodiscard]] FlowTableStatus flow_table_status(FlowTable* table, FlowTick now);

}  // namespace culvert
