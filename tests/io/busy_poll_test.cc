#include "io/busy_poll.h"

#include <gtest/gtest.h>

#include <vector>

namespace culvert::io {
namespace {

using std::chrono::nanoseconds;
using namespace std::chrono_literals;

/// A clock that only the test advances.
struct ManualClock {
  static inline nanoseconds time{0};
  static nanoseconds now() { return time; }
};

/// A worker that receives one packet, some time after the start of its wait.
class Waiter {
 public:
  explicit Waiter(nanoseconds limit) : poll_(limit) {}

  struct Wait {
    int looks = 0;
    std::vector<nanoseconds> sleeps;  ///< the longest duration of each sleep
  };
  /// A poll takes 1 us.
  Wait wait(nanoseconds packet_after, nanoseconds timeout = 1s) {
    Wait wait;
    const auto arrival = ManualClock::time + packet_after;
    poll_.wait(
        timeout,
        [&] {
          ++wait.looks;
          ManualClock::time += 1us;
          return ManualClock::time >= arrival;
        },
        [&](nanoseconds rest) {
          wait.sleeps.push_back(rest);
          ManualClock::time =
              std::min(ManualClock::time + rest, std::max(ManualClock::time, arrival));
        });
    return wait;
  }
  void skip() { poll_.skip(); }

 private:
  BasicBusyPoll<ManualClock> poll_;
};

/// Waits repeatedly for a packet after the same time. Returns the last wait.
Waiter::Wait repeat(Waiter& waiter, nanoseconds packet_after, int times) {
  Waiter::Wait last;
  for (int i = 0; i < times; ++i) last = waiter.wait(packet_after);
  return last;
}

TEST(BusyPoll, SpinsOnceWaitsHaveProvedShort) {
  Waiter waiter{50us};
  EXPECT_EQ(waiter.wait(20us).looks, 0);  // no waits recorded yet
  repeat(waiter, 20us, 3);
  const auto wait = waiter.wait(20us);
  EXPECT_EQ(wait.looks, 20);
  EXPECT_TRUE(wait.sleeps.empty());
  EXPECT_EQ(waiter.wait(49us).looks, 49);
  EXPECT_EQ(waiter.wait(10us).looks, 10);
}

TEST(BusyPoll, APauseCostsOneSpinAndIsForgiven) {
  Waiter waiter{50us};
  repeat(waiter, 1us, 10);
  const auto pause = waiter.wait(10ms);
  EXPECT_EQ(pause.looks, 50);
  EXPECT_EQ(pause.sleeps, std::vector<nanoseconds>{1s - 50us});
  (void)waiter.wait(1us);
  EXPECT_EQ(waiter.wait(20us).looks, 20);
}

TEST(BusyPoll, NeverSpinsForPacketsFarApart) {
  Waiter waiter{50us};
  for (int i = 0; i < 100; ++i) EXPECT_EQ(waiter.wait(10ms).looks, 0);
}

TEST(BusyPoll, CountsWhatNeededNoWait) {
  Waiter waiter{50us};
  for (int i = 0; i < 5; ++i) waiter.skip();
  EXPECT_EQ(waiter.wait(20us).looks, 20);
}

TEST(BusyPoll, DoesNotSpinLongerThanTheTimeout) {
  Waiter waiter{50us};
  for (int i = 0; i < 5; ++i) waiter.skip();
  const auto wait = waiter.wait(1ms, 20us);
  EXPECT_EQ(wait.looks, 20);
  EXPECT_EQ(wait.sleeps, std::vector<nanoseconds>{0us});
}

TEST(BusyPoll, TakesNoTimeoutForAShortWait) {
  Waiter waiter{50us};
  for (int i = 0; i < 10; ++i) EXPECT_EQ(waiter.wait(1ms, 20us).looks, 0);
}

// As with an echo every 20 ms: the reply arrives at once, the next request later.
TEST(BusyPoll, SpinsForTheAnswerAndSleepsForTheRequest) {
  for (const auto limit : {0us, 50us}) {
    Waiter waiter{limit};
    for (int i = 0; i < 4; ++i) {
      (void)waiter.wait(20ms);
      (void)waiter.wait(30us);
    }
    for (int i = 0; i < 4; ++i) {
      EXPECT_EQ(waiter.wait(20ms).looks, 0);
      const auto answer = waiter.wait(30us);
      EXPECT_EQ(answer.looks, 30);
      EXPECT_TRUE(answer.sleeps.empty());
    }
  }
}

TEST(BusyPoll, WithoutALimitNeverSpinsAmongShortWaits) {
  Waiter waiter{0us};
  (void)waiter.wait(1us);
  for (int i = 0; i < 100; ++i) {
    const auto wait = waiter.wait(20us);
    EXPECT_EQ(wait.looks, 0);
    EXPECT_EQ(wait.sleeps, std::vector<nanoseconds>{1s});
  }
}

}  // namespace
}  // namespace culvert::io
