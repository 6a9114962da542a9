// When calls are due, and that a burst of requests causes one.
#include "tools/culvert/daemon/delayed_call.h"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>

namespace culvert::program {
namespace {

using namespace std::chrono_literals;

TEST(CallPace, WaitsAfterALongCallAndNotAfterAQuietTime) {
  CallPace pace{100ms};
  const CallPace::Time start{1h};
  EXPECT_EQ(pace.due(start), start + 100ms);
  pace.called(start, start + 50ms);
  EXPECT_EQ(pace.due(start + 60ms), start + 500ms);  // a tenth of the time
  EXPECT_EQ(pace.due(start + 450ms), start + 550ms);
  EXPECT_EQ(pace.due(start + 10s), start + 10s + 100ms);
}

TEST(DelayedCall, RunsOnceForABurst) {
  boost::asio::io_context context;
  int calls = 0;
  DelayedCall call{context, 1ms, [&] {
                     ++calls;
                     if (calls == 1) call.request();  // during the call: causes another one
                   }};
  for (int i = 0; i < 3; ++i) call.request();
  context.run();
  EXPECT_EQ(calls, 2);
}

}  // namespace
}  // namespace culvert::program
