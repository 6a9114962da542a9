// BusyPoll: how long an idle worker looks for packets before it sleeps. To be woken is dear: for
// the worker, whose core must leave its idle state and switch to it, and for whoever brought the
// packet and has to wake it. Looking is cheap but for the core, which does nothing else.
//
// The rule: a wait spins, for at most the limit, if it is likely to end within the limit, judging
// by how such waits ended before. There are two kinds of them, after a short wait and after a long
// one, and for each a count that remembers how the last few ended (as a processor guesses a
// branch). So a conversation whose packets are less than the limit apart is never slept through; of
// a request each second the answer is waited for awake, and the next request asleep; and a stream
// with longer pauses between its packets is never spun for.
//
// Without a limit that is asked for, the wait for an answer alone is spun for: one that follows a
// long wait, for at most 50 us. Bulk traffic hardly ever comes to that, and would lose by it: the
// core that spins is one that the sender or receiver could use.
//
// Between two looks it gives way to whatever else wants the core. One thread.
#pragma once

#include <sched.h>

#include <algorithm>
#include <array>
#include <chrono>

namespace culvert::io {

/// `Clock`: std::chrono::steady_clock, but in tests.
template <class Clock>
class BasicBusyPoll {
 public:
  static constexpr std::chrono::microseconds kAnswerLimit{50};

  /// `limit` 0: none is asked for.
  explicit BasicBusyPoll(std::chrono::nanoseconds limit = {}) noexcept
      : limit_(limit > limit.zero() ? limit : kAnswerLimit),
        is_for_answers_(limit <= limit.zero()) {}

  /// There was something to do at once, so there is no wait.
  void skip() noexcept { remember(true); }

  /// One wait: spins as long as `look()` finds nothing, if it is to spin, then calls
  /// `sleep(rest of timeout)`; not if it has found something.
  template <class Look, class Sleep>
  void wait(std::chrono::nanoseconds timeout, Look look, Sleep sleep) noexcept {
    const auto start = Clock::now();
    const auto longest =
        std::min(limit_, timeout);  // an idle worker's timeouts are not short waits
    if (expects_short_wait()) {
      do {
        if (look()) return remember(true);
        ::sched_yield();
      } while (Clock::now() - start < longest);
      timeout -= longest;
    }
    sleep(timeout);
    remember(Clock::now() - start < longest);
  }

 private:
  static constexpr int kSure = 3;  // of a count from 0; its upper half means short

  [[nodiscard]] bool expects_short_wait() const noexcept {
    return (!was_short_ || !is_for_answers_) && short_waits_[was_short_ ? 1 : 0] > kSure / 2;
  }
  void remember(bool is_short) noexcept {
    int& count = short_waits_[was_short_ ? 1 : 0];
    count = std::clamp(count + (is_short ? 1 : -1), 0, kSure);
    was_short_ = is_short;
  }

  std::chrono::nanoseconds limit_;
  bool is_for_answers_;
  bool was_short_ = false;
  std::array<int, 2> short_waits_{};  ///< after a long wait, and after a short one
};

using BusyPoll = BasicBusyPoll<std::chrono::steady_clock>;

}  // namespace culvert::io
