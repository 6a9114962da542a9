#include "engine/flows/flow_dump.h"

#include <gtest/gtest.h>

#include "tests/engine/flows/flow_rig.h"

namespace culvert {
namespace {

using namespace test;

TEST(FlowDump, GivesTheLatestFirstAndThenTheBusiest) {
  FlowRig rig;
  for (std::uint32_t i = 0; i < 500; ++i) rig.in(FlowRig::key(i), 1);
  rig.now += std::chrono::seconds{1};
  rig.in(FlowRig::key(1'000), 1, 0, 5);
  rig.in(FlowRig::key(1'001), 1, 0, 7);
  rig.in(FlowRig::key(3), 1);
  const auto flows = latest_flows(rig.table(), rig.table().tick(rig.now), 4);
  ASSERT_EQ(flows.size(), 4u);
  EXPECT_EQ(flows[0].key, FlowRig::key(1'001));
  EXPECT_EQ(flows[1].key, FlowRig::key(1'000));
  EXPECT_EQ(flows[2].key, FlowRig::key(3));
  EXPECT_EQ(flows[3].idle, std::chrono::seconds{1});
  EXPECT_EQ(latest_flows(rig.table(), rig.table().tick(rig.now), 10'000).size(), 502u);
  EXPECT_TRUE(latest_flows(rig.table(), rig.table().tick(rig.now), 0).empty());
}

TEST(FlowDump, TellsHowFullTheTableIs) {
  FlowRig rig(8);
  for (std::uint32_t i = 0; i < 9; ++i) {
    rig.in(FlowRig::key(i), 1);
    rig.now += std::chrono::seconds{1};
  }
  const auto status = flow_table_status(&rig.table(), rig.table().tick(rig.now));
  EXPECT_TRUE(status.is_pinning);
  EXPECT_EQ(status.limit, 8u);
  EXPECT_EQ(status.flows, 8u);
  EXPECT_EQ(status.counts.created, 9u);
  EXPECT_EQ(status.counts.displaced, 1u);
  EXPECT_FALSE(flow_table_status(nullptr, {}).is_pinning);
}

}  // namespace
}  // namespace culvert
