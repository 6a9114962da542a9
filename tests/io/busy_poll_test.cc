#include "io/busy_poll.h"

#include <gtest/gtest.h>

#include <vector>

namespace culvert::io {
namespace {

using std::chrono::nanoseconds;
using namespace std::chrono_literals;

/// Time passes when the test says so.
struct ManualClock {
  static inline nanoseconds time{0};
  static inline int readings = 0;
  static nanoseconds now() {
    ++readings;
    return time;
  }
};

/// A worker to which one packet comes, some time after it has begun to wait.
class Waiter {
 public:
  explicit Waiter(nanoseconds limit) : poll_(limit) {}

  struct Wait {
    int looks = 0;
    std::vector<nanoseconds> sleeps;  ///< what each was to last at most
  };
  /// A look takes 1 us.
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

TEST(BusyPoll, NeverSpinsWithoutALimit) {
  Waiter waiter{0us};
  ManualClock::readings = 0;
  for (int i = 0; i < 3; ++i) {
    waiter.skip();
    const auto wait = waiter.wait(1us);
    EXPECT_EQ(wait.looks, 0);
    EXPECT_EQ(wait.sleeps, std::vector<nanoseconds>{1s});
  }
  EXPECT_EQ(ManualClock::readings, 0);
}

TEST(BusyPoll, SpinsOnlyAfterAShortWait) {
  Waiter waiter{50us};
  EXPECT_EQ(waiter.wait(20us).looks, 0);  // nothing is known yet
  const auto second = waiter.wait(20us);
  EXPECT_EQ(second.looks, 20);
  EXPECT_TRUE(second.sleeps.empty());
  EXPECT_EQ(waiter.wait(49us).looks, 49);
  EXPECT_EQ(waiter.wait(10us).looks, 10);
}

TEST(BusyPoll, SleepsAtOnceAfterALongWait) {
  Waiter waiter{50us};
  (void)waiter.wait(1us);
  const auto pause = waiter.wait(10ms);  // costs one spin
  EXPECT_EQ(pause.looks, 50);
  EXPECT_EQ(pause.sleeps, std::vector<nanoseconds>{1s - 50us});
  EXPECT_EQ(waiter.wait(10ms).looks, 0);
  EXPECT_EQ(waiter.wait(20us).looks, 0);  // asleep, but it was woken soon
  EXPECT_EQ(waiter.wait(20us).looks, 20);
}

TEST(BusyPoll, SpinsAfterWhatNeededNoWait) {
  Waiter waiter{50us};
  waiter.skip();
  EXPECT_EQ(waiter.wait(20us).looks, 20);
}

TEST(BusyPoll, DoesNotSpinLongerThanTheTimeout) {
  Waiter waiter{50us};
  waiter.skip();
  const auto wait = waiter.wait(1ms, 20us);
  EXPECT_EQ(wait.looks, 20);
  EXPECT_EQ(wait.sleeps, std::vector<nanoseconds>{0us});
}

TEST(BusyPoll, TakesNoTimeoutForAShortWait) {
  Waiter waiter{50us};
  for (int i = 0; i < 3; ++i) EXPECT_EQ(waiter.wait(1ms, 20us).looks, 0);
}

}  // namespace
}  // namespace culvert::io
