// BusyPoll: how long an idle worker looks for packets before it sleeps. To be woken is dear: for
// the worker, whose core must leave its idle state and switch to it, and for whoever brought the
// packet and has to wake it. Looking is cheap but for the core, which does nothing else.
//
// The rule: a wait spins, for at most the limit, only if the last wait ended sooner than the limit.
// So a conversation whose packets are less than that apart is never slept through; a longer pause
// costs one spin, of which nothing comes, and after that an idle worker sleeps at once. The first
// packet after a pause finds it asleep, as without busy polling.
//
// Between two looks it gives way to whatever else wants the core. One thread.
#pragma once

#include <sched.h>

#include <algorithm>
#include <chrono>

namespace culvert::io {

/// `Clock`: std::chrono::steady_clock, but in tests.
template <class Clock>
class BasicBusyPoll {
 public:
  /// `limit` 0: never spins, and never asks what time it is.
  explicit BasicBusyPoll(std::chrono::nanoseconds limit = {}) noexcept : limit_(limit) {}

  /// There was something to do at once, so there is no wait.
  void skip() noexcept { was_short_ = true; }

  /// One wait: spins as long as `look()` finds nothing, if it is to spin, then calls
  /// `sleep(rest of timeout)`; not if it has found something.
  template <class Look, class Sleep>
  void wait(std::chrono::nanoseconds timeout, Look look, Sleep sleep) noexcept {
    if (limit_ <= limit_.zero()) {
      sleep(timeout);
      return;
    }
    const auto start = Clock::now();
    const auto longest =
        std::min(limit_, timeout);  // an idle worker's timeouts are not short waits
    if (was_short_) {
      do {
        if (look()) return;
        ::sched_yield();
      } while (Clock::now() - start < longest);
      timeout -= longest;
    }
    sleep(timeout);
    was_short_ = Clock::now() - start < longest;
  }

 private:
  std::chrono::nanoseconds limit_;
  bool was_short_ = false;
};

using BusyPoll = BasicBusyPoll<std::chrono::steady_clock>;

}  // namespace culvert::io
