#include "engine/drop_reason.h"

#include <gtest/gtest.h>

#include <set>

#include "engine/counters.h"

namespace culvert {
namespace {

TEST(DropReasons, TableFollowsTheEnum) {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < kDropReasonCount; ++i) {
    EXPECT_EQ(static_cast<std::size_t>(kDropReasons[i].reason), i);
    EXPECT_FALSE(kDropReasons[i].meaning.empty());
    EXPECT_TRUE(names.insert(kDropReasons[i].name).second) << kDropReasons[i].name;
  }
}

TEST(Totals, HoldWhatIsNeitherForwardedNorDropped) {
  DeviceCounters device;
  const CounterSet counters = device.counters();
  counters->in_received.add(10);
  counters->in_packets.add(6);
  counters.drop(DropReason::tunnel_unknown, 1);
  counters.drop(DropReason::packet_too_big, 100);  // counted for the other direction
  const Totals totals = device.totals();
  EXPECT_EQ(totals.dropped(Direction::inbound), 1u);
  EXPECT_EQ(totals.held(Direction::inbound), 3u);
  Totals twice = totals;
  twice += totals;
  EXPECT_EQ(twice.held(Direction::inbound), 6u);
}

}  // namespace
}  // namespace culvert
