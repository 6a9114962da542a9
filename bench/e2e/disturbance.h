// Disturbance: disturbs the wire during a soak. It takes the wire down for a moment, or changes its
// MTU. The caller passes the time. One thread.
#pragma once

#include <cstdint>
#include <random>

#include "bench/e2e/load.h"
#include "bench/e2e/tunnel.h"

namespace culvert::bench {

class Disturbance {
 public:
  /// The first disturbance starts three seconds after `now`. Every run has the same sequence.
  Disturbance(const Tunnel& tunnel, Clock::time_point now) noexcept
      : tunnel_(tunnel), next_(now + kInterval) {}

  /// Starts or ends a disturbance that is due at `now`.
  [[nodiscard]] Result<void> update(Clock::time_point now);
  /// Ends the current disturbance: the wire is up, with its first MTU.
  [[nodiscard]] Result<void> end();

  [[nodiscard]] unsigned count() const noexcept { return count_; }

 private:
  static constexpr std::chrono::milliseconds kInterval{3000}, kDown{300};

  [[nodiscard]] Result<void> set_wire(bool up, std::uint16_t mtu_bytes);

  const Tunnel& tunnel_;
  Clock::time_point next_;
  bool is_down_ = false;
  std::uint16_t mtu_bytes_ = kWireMtuBytes;
  unsigned count_ = 0;
  std::minstd_rand random_{1};
};

}  // namespace culvert::bench
