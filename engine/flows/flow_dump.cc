#include "engine/flows/flow_dump.h"

#include <algorithm>

namespace culvert {
namespace {

bool ranks_before(const FlowRecord& a, const FlowRecord& b) {
  return a.idle != b.idle ? a.idle < b.idle : a.packets > b.packets;
}

}  // namespace

/// Keeps the best `limit` flows so far in a heap with the worst of them on top.
std::vector<FlowRecord> latest_flows(FlowTable& table, FlowTick now, std::size_t limit) {
  std::vector<FlowRecord> flows;
  if (limit == 0) return flows;
  table.for_each(now, [&](const FlowRecord& flow) {
    if (flows.size() == limit) {
      if (!ranks_before(flow, flows.front())) return;
      std::pop_heap(flows.begin(), flows.end(), ranks_before);
      flows.pop_back();
    }
    flows.push_back(flow);
    std::push_heap(flows.begin(), flows.end(), ranks_before);
  });
  std::sort_heap(flows.begin(), flows.end(), ranks_before);
  return flows;
}

FlowTableStatus flow_table_status(FlowTable* table, FlowTick now) {
  if (table == nullptr) return {};
  FlowTableStatus status{.is_pinning = true, .limit = table->capacity(), .counts = table->counts()};
  table->for_each(now, [&](const FlowRecord&) { ++status.flows; });
  return status;
}

}  // namespace culvert
