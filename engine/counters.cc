#include "engine/counters.h"

namespace culvert {

Totals read_counters(const FrequentCounters& frequent, const Counter* rare,
                     std::size_t stride) noexcept {
  Totals totals;
  for (const auto& each : kFrequentCounters) totals.*each.total = (frequent.*each.counter).value();
  for (const auto& each : kRareCounters)
    totals.*each.total = rare[static_cast<std::size_t>(each.counter) * stride].value();
  const Counter* drops = rare + static_cast<std::size_t>(RareCounter::count_) * stride;
  for (std::size_t i = 0; i < kDropReasonCount; ++i) totals.drops[i] = drops[i * stride].value();
  return totals;
}

void CounterSet::clear() const noexcept {
  for (const auto& each : kFrequentCounters) (frequent_->*each.counter).clear();
  for (std::size_t i = 0; i < kRareCounterCount; ++i) rare_[i * stride_].clear();
}

Totals& Totals::operator+=(const Totals& totals) noexcept {
  for (const auto& each : kFrequentCounters) this->*each.total += totals.*each.total;
  for (const auto& each : kRareCounters) this->*each.total += totals.*each.total;
  for (std::size_t i = 0; i < kDropReasonCount; ++i) drops[i] += totals.drops[i];
  return *this;
}

std::uint64_t Totals::dropped(Direction direction) const noexcept {
  std::uint64_t sum = 0;
  for (const DropReasonFacts& reason : kDropReasons) {
    if (reason.direction == direction) sum += dropped(reason.reason);
  }
  return sum;
}

std::uint64_t Totals::held(Direction direction) const noexcept {
  switch (direction) {
    case Direction::outbound:
      return out_received - out_packets - dropped(direction);
    case Direction::inbound:
      return in_received - in_packets - dropped(direction);
    case Direction::errors:
      return errors_received - errors_relayed - dropped(direction);
  }
  return 0;
}

}  // namespace culvert
