// TokenBucket: a rate limiter with a burst. Its state is one time stamp, the time at which the
// bucket would be full again, so it needs no clock and no refill (virtual scheduling of ITU-T I.371
// annex A). One thread.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace culvert {

class TokenBucket {
 public:
  using Clock = std::chrono::steady_clock;

  /// Rate and burst; buckets of one kind share it.
  struct Rate {
    /// `per_second` 0: no limit. `burst`: tokens that can be spent at once; 0 counts as 1.
    constexpr Rate(std::uint32_t per_second, std::uint32_t burst) noexcept
        : interval(per_second == 0 ? 0 : 1'000'000'000 / per_second),
          tolerance(interval * (std::max(burst, 1u) - 1)) {}
    std::chrono::nanoseconds interval;   ///< between two tokens, in the long run
    std::chrono::nanoseconds tolerance;  ///< how far bursts may run ahead of the interval
  };

  /// Returns whether a token is available now.
  [[nodiscard]] bool has(const Rate& rate, Clock::time_point now) const noexcept {
    return full_ <= now + rate.tolerance;
  }
  /// Spends a token. Only after has() has returned true.
  void spend(const Rate& rate, Clock::time_point now) noexcept {
    full_ = std::max(full_, now) + rate.interval;
  }
  [[nodiscard]] bool allow(const Rate& rate, Clock::time_point now) noexcept {
    if (!has(rate, now)) return false;
    spend(rate, now);
    return true;
  }

 private:
  Clock::time_point full_{};
};

}  // namespace culvert
