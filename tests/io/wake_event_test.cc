#include "io/wake_event.h"

#include <gtest/gtest.h>

#include <thread>

namespace culvert::io {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto kLong = 60s;  ///< a test that sleeps so long has failed

class OpenWakeEvent : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(event_.open("test")); }
  /// The time that sleep(kLong) takes is far below kLong.
  void expect_woken() {
    const auto begin = Clock::now();
    event_.sleep(kLong);
    EXPECT_LT(Clock::now() - begin, kLong / 2);
  }
  WakeEvent event_;
};

TEST_F(OpenWakeEvent, EndsTheSleepOfAnotherThread) {
  std::thread sleeper([this] { expect_woken(); });
  event_.wake();
  sleeper.join();
}

TEST_F(OpenWakeEvent, EndsTheNextSleepOnce) {
  event_.wake();
  event_.wake();
  expect_woken();
  const auto begin = Clock::now();
  event_.sleep(20ms);
  EXPECT_GE(Clock::now() - begin, 20ms);
}

TEST_F(OpenWakeEvent, DoesNotSleepIfTheTimeIsOver) {
  const auto begin = Clock::now();
  event_.sleep(-1s);
  EXPECT_LT(Clock::now() - begin, kLong / 2);
}

TEST_F(OpenWakeEvent, StaysOpenIfItIsOpenedAgain) {
  event_.wake();
  ASSERT_TRUE(event_.open("test"));
  expect_woken();
}

}  // namespace
}  // namespace culvert::io
