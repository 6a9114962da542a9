// TokenBucket: at most so many a second, and as many at once as make up a given time. One word of
// state: the time at which it would be full again, so that a bucket needs no clock and no refill
// (the virtual scheduling of ITU-T I.371 annex A). One thread.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace culvert {

class TokenBucket {
 public:
  using Clock = std::chrono::steady_clock;

  /// What a bucket may give; shared by buckets of one kind.
  struct Rate {
    /// `per_second` 0: no limit. `burst`: how many may be taken at once, 1 at least.
    constexpr Rate(std::uint32_t per_second, std::uint32_t burst) noexcept
        : interval(per_second == 0 ? 0 : 1'000'000'000 / per_second),
          tolerance(interval * (std::max(burst, 1u) - 1)) {}
    std::chrono::nanoseconds interval;   ///< between two, in the long run
    std::chrono::nanoseconds tolerance;  ///< how far ahead of that
  };

  /// Whether one may be taken now.
  [[nodiscard]] bool has(const Rate& rate, Clock::time_point now) const noexcept {
    return full_ <= now + rate.tolerance;
  }
  /// Takes one that has() has promised.
  void take(const Rate& rate, Clock::time_point now) noexcept {
    full_ = std::max(full_, now) + rate.interval;
  }
  [[nodiscard]] bool allow(const Rate& rate, Clock::time_point now) noexcept {
    if (!has(rate, now)) return false;
    take(rate, now);
    return true;
  }

 private:
  Clock::time_point full_{};
};

}  // namespace culvert
