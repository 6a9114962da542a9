#include "engine/counters.h"

namespace culvert {

Totals& Totals::operator+=(const WorkerCounters& counters) noexcept {
  out_received += counters.out_received.value();
  out_packets += counters.out_packets.value();
  out_bytes += counters.out_bytes.value();
  in_received += counters.in_received.value();
  in_packets += counters.in_packets.value();
  in_bytes += counters.in_bytes.value();
  errors_received += counters.errors_received.value();
  errors_relayed += counters.errors_relayed.value();
  too_big_sent += counters.too_big_sent.value();
  too_big_suppressed += counters.too_big_suppressed.value();
  ecn_anomalies += counters.ecn_anomalies.value();
  for (std::size_t i = 0; i < kDropReasonCount; ++i) drops[i] += counters.drops[i].value();
  return *this;
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
  ecn_anomalies += totals.ecn_anomalies;
  for (std::size_t i = 0; i < kDropReasonCount; ++i) drops[i] += totals.drops[i];
  return *this;
}

std::uint64_t Totals::dropped(Direction direction) const noexcept {
  std::uint64_t sum = 0;
  for (const DropReasonFacts& reason : kDropReasons) {
    if (reason.direction == direction) sum += drops[static_cast<std::size_t>(reason.reason)];
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
