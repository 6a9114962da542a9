#include "engine/counters.h"

namespace culvert {

Totals read_counters(const FrequentCounters& frequent, const Counter* rare,
                     std::size_t stride) noexcept {
  const auto value = [&](RareCounter counter) {
    return rare[static_cast<std::size_t>(counter) * stride].value();
  };
  Totals totals{.out_received = frequent.out_received.value(),
                .out_packets = frequent.out_packets.value(),
                .out_bytes = frequent.out_bytes.value(),
                .in_received = frequent.in_received.value(),
                .in_packets = frequent.in_packets.value(),
                .in_bytes = frequent.in_bytes.value(),
                .errors_received = value(RareCounter::errors_received),
                .errors_relayed = value(RareCounter::errors_relayed),
                .too_big_sent = value(RareCounter::too_big_sent),
                .too_big_suppressed = value(RareCounter::too_big_suppressed),
                .unreachable_sent = value(RareCounter::unreachable_sent),
                .unreachable_suppressed = value(RareCounter::unreachable_suppressed),
                .ecn_anomalies = value(RareCounter::ecn_anomalies)};
  const Counter* drops = rare + static_cast<std::size_t>(RareCounter::count_) * stride;
  for (std::size_t i = 0; i < kDropReasonCount; ++i) totals.drops[i] = drops[i * stride].value();
  return totals;
}

void CounterSet::clear() const noexcept {
  for (Counter* counter : {&frequent_->out_received, &frequent_->out_packets, &frequent_->out_bytes,
                           &frequent_->in_received, &frequent_->in_packets, &frequent_->in_bytes})
    counter->clear();
  for (std::size_t i = 0; i < kRareCounterCount; ++i) rare_[i * stride_].clear();
}

Totals& Totals::operator+=(const Totals& totals) noexcept {
  out_received += totals.out_received;
  out_packets += totals.out_packets;
  out_bytes += totals.out_bytes;
  in_received += totals.in_received;
  in_packets += totals.in_packets;
  in_bytes += totals.in_bytes;
  errors_received += totals.errors_received;
  errors_relayed += totals.errors_relayed;
  too_big_sent += totals.too_big_sent;
  too_big_suppressed += totals.too_big_suppressed;
  unreachable_sent += totals.unreachable_sent;
  unreachable_suppressed += totals.unreachable_suppressed;
  ecn_anomalies += totals.ecn_anomalies;
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
