#include "engine/counters.h"

#include <gtest/gtest.h>

#include <set>

namespace culvert {
namespace {

/// A set in which the counters are 1, 2, 3, ... in the order of the lists, then of the drop reasons.
Totals numbered() {
  FrequentCounters frequent;
  std::array<Counter, kRareCounterCount> rare;
  std::uint64_t number = 0;
  for (const auto& each : kFrequentCounters) (frequent.*each.counter).add(++number);
  for (Counter& counter : rare) counter.add(++number);
  return read_counters(frequent, rare.data(), 1);
}

TEST(Counters, ListsHaveEachCounterOnce) {
  const Totals totals = numbered();
  std::set<std::uint64_t> values;
  for (const auto& each : kFrequentCounters) values.insert(totals.*each.total);
  for (const auto& each : kRareCounters) values.insert(totals.*each.total);
  for (const std::uint64_t drops : totals.drops) values.insert(drops);
  const std::size_t count = kFrequentCounters.size() + kRareCounterCount;
  EXPECT_EQ(values.size(), count);
  EXPECT_EQ(*values.begin(), 1u);
  EXPECT_EQ(*values.rbegin(), count);
  EXPECT_EQ(sizeof(Totals), count * sizeof(std::uint64_t));  // none is outside the lists
}

TEST(Counters, SumsEachCounter) {
  Totals sum = numbered();
  sum += numbered();
  const Totals once = numbered();
  for (const auto& each : kFrequentCounters) EXPECT_EQ(sum.*each.total, 2 * once.*each.total);
  for (const auto& each : kRareCounters) EXPECT_EQ(sum.*each.total, 2 * once.*each.total);
  for (std::size_t i = 0; i < kDropReasonCount; ++i) EXPECT_EQ(sum.drops[i], 2 * once.drops[i]);
}

TEST(Counters, ClearsEachCounter) {
  DeviceCounters device;
  const CounterSet counters = device.counters();
  for (const auto& each : kFrequentCounters) (counters.operator->()->*each.counter).add(1);
  for (const auto& each : kRareCounters) counters.add(each.counter);
  for (const DropReasonFacts& each : kDropReasons) counters.drop(each.reason, 1);
  EXPECT_EQ(device.totals().errors_received, 1u);
  counters.clear();
  const Totals totals = device.totals();
  for (const auto& each : kFrequentCounters) EXPECT_EQ(totals.*each.total, 0u);
  for (const auto& each : kRareCounters) EXPECT_EQ(totals.*each.total, 0u) << each.name;
  for (const DropReasonFacts& each : kDropReasons) EXPECT_EQ(totals.dropped(each.reason), 0u);
}

}  // namespace
}  // namespace culvert
