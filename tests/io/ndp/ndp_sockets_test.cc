// NdpSockets without an interface. tests/engine/ndp/ndp_proxy_test.cc has the one with.
#include "io/ndp/ndp_sockets.h"

#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <thread>

#include "tests/support/packet_builder.h"

namespace culvert::io {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto kLong = 60s;  ///< a wait that takes so long has not been woken

TEST(NdpSockets, ReceiveAndSendNothingWithoutAnInterface) {
  auto sockets = *NdpSockets::open("ndp eth0", {});
  EXPECT_FALSE(sockets.is_open());
  EXPECT_TRUE(sockets.next().empty());
  EXPECT_EQ(sockets.read_drops(), 0u);
  EXPECT_FALSE(sockets.send_probe({}));
  EXPECT_FALSE(sockets.receive_reply());
  const test::Bytes frame(64);
  const std::array<std::span<const std::byte>, 2> frames{frame, frame};
  std::array<int, 3> errors{};
  sockets.send(frames, errors);
  EXPECT_EQ(errors, (std::array{ENETDOWN, ENETDOWN, 0}));
}

TEST(NdpSockets, WaitUntilTheTimeIsOver) {
  auto sockets = *NdpSockets::open("ndp eth0", {});
  const auto start = Clock::now();
  sockets.wait(20ms);
  EXPECT_GE(Clock::now() - start, 20ms);
  sockets.wait(-1s);
  EXPECT_LT(Clock::now() - start, kLong / 2);
}

TEST(NdpSockets, EndOneWaitForAllCallsOfWake) {
  auto sockets = *NdpSockets::open("ndp eth0", {});
  const auto start = Clock::now();
  sockets.wake();
  sockets.wake();
  sockets.wait(kLong);
  std::thread waker{[&] { sockets.wake(); }};
  sockets.wait(kLong);
  waker.join();
  EXPECT_LT(Clock::now() - start, kLong / 2);
  const auto woken = Clock::now();
  sockets.wait(20ms);
  EXPECT_GE(Clock::now() - woken, 20ms);
}

}  // namespace
}  // namespace culvert::io
