// What is told of a flow table to people: its flows with their tunnels' names, and its state.
// Values; Engine::flows() and Engine::status() give them.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "engine/flows/flow_table.h"

namespace culvert {

/// A flow and the name of the tunnel by which it goes out. FlowKey has the words for its ends:
/// far_text() and near_text(), ports, identifier(); FlowRecord the rest.
struct FlowStatus {
  FlowRecord flow;
  std::string tunnel;
};

struct FlowTableStatus {
  bool is_pinning = false;  ///< false: `pinning = "off"`, there is no table
  std::size_t limit = 0;    ///< flows for which there are places
  std::size_t flows = 0;    ///< that are alive now
  FlowCounts counts;        ///< since the device was opened
};

/// The `limit` flows that had a packet last, the latest first, and of equal ones those with most
/// packets. Walks the whole table.
[[nodiscard]] std::vector<FlowRecord> latest_flows(FlowTable& table, FlowTick now,
                                                   std::size_t limit);
/// `table` may be null. Walks the whole table.
[[nodiscard]] FlowTableStatus flow_table_status(FlowTable* table, FlowTick now);

}  // namespace culvert
