// What goes wrong on the wire during a soak: it is down for a moment, or has another MTU. Driven by
// the clock of who watches; one thread.
#pragma once

#include <cstdint>
#include <random>

#include "bench/e2e/load.h"
#include "bench/e2e/tunnel.h"

namespace culvert::bench {

class Disturbance {
 public:
  /// The first comes some seconds after `now`. The same ones in the same order in every run.
  Disturbance(const Tunnel& tunnel, Clock::time_point now) noexcept
      : tunnel_(tunnel), next_(now + kInterval) {}

  /// Begins or ends a disturbance if its time has come.
  [[nodiscard]] Result<void> update(Clock::time_point now);
  /// Ends the one that is under way: up, with the MTU of the start.
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
