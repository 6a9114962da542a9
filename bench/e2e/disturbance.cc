#include "bench/e2e/disturbance.h"

#include <array>

#include "bench/e2e/links.h"

namespace culvert::bench {
namespace {

/// Even with the smallest MTU, IPv6 packets of 1,280 bytes pass through GRE.
constexpr std::array<std::uint16_t, 4> kMtus{kWireMtuBytes, 1492, 1400, 1320};

}  // namespace

Result<void> Disturbance::update(Clock::time_point now) {
  if (now < next_) return {};
  if (is_down_) {
    is_down_ = false;
    next_ = now + kInterval;
    return set_wire(true, mtu_bytes_);
  }
  ++count_;
  is_down_ = random_() % 2 == 0;
  if (!is_down_) mtu_bytes_ = kMtus[random_() % kMtus.size()];
  next_ = now + (is_down_ ? kDown : kInterval);
  return set_wire(!is_down_, mtu_bytes_);
}

Result<void> Disturbance::end() {
  is_down_ = false;
  mtu_bytes_ = kWireMtuBytes;
  return set_wire(true, mtu_bytes_);
}

// Taking one device down removes the carrier of the other. Both devices get the same MTU, as on a
// cable.
Result<void> Disturbance::set_wire(bool up, std::uint16_t mtu_bytes) {
  if (!up) return tunnel_.end(0).inside([] { return bring_down(kWire); });
  for (std::size_t end = 0; end < kEnds; ++end) {
    auto changed = tunnel_.end(end).inside([&] { return bring_up(kWire, mtu_bytes); });
    if (!changed) return changed;
  }
  return {};
}

}  // namespace culvert::bench
