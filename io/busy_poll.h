// BusyPoll: decides whether an idle worker polls (spins) before it sleeps, and for how long.
//
// A wake-up is expensive: the worker's core has to leave its idle state and switch to the worker,
// and the thread that brought the packet has to wake it. Polling costs only the core, which cannot
// do other work meanwhile.
//
// The rule: a wait polls, for at most the limit, if it will probably end within the limit. A
// predictor decides, like the branch predictor of a processor: two saturating counters record how
// the last waits ended, one for waits after a short wait and one for waits after a long wait.
// Examples:
//  - Packets less than the limit apart: the worker never sleeps between them.
//  - One request a second: the worker polls for the reply and sleeps until the next request.
//  - A stream with pauses longer than the limit: the worker never polls.
//
// If no limit is configured, the worker polls for replies alone: in a wait that follows a long
// wait, for at most 50 us. Bulk traffic seldom has such waits, and polling would hurt it: the
// sender or the receiver could use the core.
//
// Between two polls the worker yields the core to other threads. One thread.
#pragma once

#include <sched.h>

#include <algorithm>
#include <array>
#include <chrono>

namespace culvert::io {

/// `Clock`: std::chrono::steady_clock, except in tests.
template <class Clock>
class BasicBusyPoll {
 public:
  static constexpr std::chrono::microseconds kAnswerLimit{50};

  /// `limit`: the longest time to poll in one wait. 0: not configured, so only waits for a reply
  /// poll, for at most kAnswerLimit.
  explicit BasicBusyPoll(std::chrono::nanoseconds limit = {}) noexcept
      : limit_(limit > limit.zero() ? limit : kAnswerLimit),
        is_for_answers_(limit <= limit.zero()) {}

  /// Records a wait of length zero: there was work at once.
  void skip() noexcept { remember(true); }

  /// Waits once. If the predictor expects a short wait, calls `poll()` until it returns true (there
  /// is work) or the limit is over. Without work, calls `sleep(rest of timeout)`.
  template <class Poll, class Sleep>
  void wait(std::chrono::nanoseconds timeout, Poll poll, Sleep sleep) noexcept {
    const auto start = Clock::now();
    // A wait that ends by a timeout below the limit does not count as short.
    const auto longest = std::min(limit_, timeout);
    if (expects_short_wait()) {
      do {
        if (poll()) return remember(true);
        ::sched_yield();
      } while (Clock::now() - start < longest);
      timeout -= longest;
    }
    sleep(timeout);
    remember(Clock::now() - start < longest);
  }

 private:
  static constexpr int kMaxCount = 3;  // counters run from 0; the upper half predicts short

  [[nodiscard]] bool expects_short_wait() const noexcept {
    return (!was_short_ || !is_for_answers_) && short_waits_[was_short_ ? 1 : 0] > kMaxCount / 2;
  }
  void remember(bool is_short) noexcept {
    int& count = short_waits_[was_short_ ? 1 : 0];
    count = std::clamp(count + (is_short ? 1 : -1), 0, kMaxCount);
    was_short_ = is_short;
  }

  std::chrono::nanoseconds limit_;
  bool is_for_answers_;
  bool was_short_ = false;
  std::array<int, 2> short_waits_{};  ///< counters: [0] after a long wait, [1] after a short wait
};

using BusyPoll = BasicBusyPoll<std::chrono::steady_clock>;

}  // namespace culvert::io
