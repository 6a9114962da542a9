// Routes that the refresher looks up: which, how many in a round, and when the next round is due.
// All tunnels are `local any` to the loopback network, so a look-up sets a tunnel's local address.
#include "engine/forward/route_refresher.h"

#include <gtest/gtest.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <thread>
#include <vector>

#include "tests/support/tunnel_rig.h"

namespace culvert::test {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t kBatch = RouteRefresher::kBatch;
/// The periodic refresh of so many routes takes 10 s.
constexpr std::uint32_t kMany = 5'000;
/// Requested look-ups take much less, and a test waits no longer.
constexpr auto kSoon = 5s;

std::shared_ptr<const Tunnel> tunnel_of(std::uint32_t slot) {
  TunnelConfig config = sit_config();
  config.remote = proto::Ipv4Address::from_host(0x7f000100 + slot);
  config.local.reset();
  Tunnel tunnel = make_tunnel(config, 1480, 1500);
  tunnel.index = slot;
  return std::make_shared<const Tunnel>(std::move(tunnel));
}

TunnelSlots tunnels_of(std::uint32_t count) {
  TunnelSlots slots;
  for (std::uint32_t slot = 0; slot < count; ++slot) slots.push_back(tunnel_of(slot));
  return slots;
}

/// A refresher as the only reader of tables with `count` tunnels.
class Refreshing {
 public:
  explicit Refreshing(std::uint32_t count)
      : tables_(std::make_unique<Tables>(tunnels_of(count)), 1),
        refresher_(tables_, 0, *io::EventFd::open("test")) {}

  [[nodiscard]] RouteRefresher& refresher() noexcept { return refresher_; }
  /// A round without a thread, for which publish() does not wait.
  Time round(Time at) {
    const Time due = refresher_.round(at);
    tables_.deactivate(0);
    return due;
  }
  [[nodiscard]] bool is_refreshed(std::uint32_t slot) const {
    return tables_.current().tunnel(slot).path->local.load(std::memory_order_relaxed) != kLocal;
  }
  [[nodiscard]] std::size_t refreshed() const {
    std::size_t count = 0;
    for (std::uint32_t slot = 0; slot < tables_.current().slots().size(); ++slot)
      count += is_refreshed(slot);
    return count;
  }
  /// Makes all tunnels as they were before their look-up.
  void forget() {
    for (const auto& tunnel : tables_.current().slots()) tunnel->path->local = kLocal;
  }
  template <class Condition>
  static bool is_soon(Condition condition) {
    const auto end = std::chrono::steady_clock::now() + kSoon;
    while (!condition() && std::chrono::steady_clock::now() < end) std::this_thread::sleep_for(1ms);
    return condition();
  }
  void publish(TunnelSlots slots) {
    tables_.publish(std::make_unique<Tables>(std::move(slots)), [this] { refresher_.wake(); });
  }

  Time now{std::chrono::hours{1}};

 private:
  Snapshot<Tables> tables_;
  RouteRefresher refresher_;
};

TEST(RouteRefresher, ReportsRoundsThatChangeAPath) {
  Refreshing rig{3};
  const auto is_reported = [&] {
    eventfd_t changes;
    return ::eventfd_read(rig.refresher().changed_fd(), &changes) == 0;
  };
  EXPECT_FALSE(is_reported());
  rig.round(rig.now);
  EXPECT_TRUE(is_reported());
  rig.round(rig.now + 1s);  // finds the same
  EXPECT_FALSE(is_reported());
  rig.forget();
  rig.refresher().refresh();  // without a thread, in this call
  EXPECT_TRUE(is_reported());
}

TEST(RouteRefresher, LooksUpAllRoutesOnceASecond) {
  Refreshing rig{kBatch};
  EXPECT_EQ(rig.round(rig.now), rig.now + 1s);
  EXPECT_EQ(rig.refreshed(), kBatch);
  rig.forget();
  EXPECT_EQ(rig.round(rig.now + 1s - 1ns), rig.now + 1s);
  EXPECT_EQ(rig.refreshed(), 0u);
  EXPECT_EQ(rig.round(rig.now + 1s), rig.now + 2s);
  EXPECT_EQ(rig.refreshed(), kBatch);
}

TEST(RouteRefresher, LooksUpOneBatchAtATimeIfThereAreMore) {
  constexpr std::uint32_t kCount = 3 * kBatch + 5;
  Refreshing rig{kCount};
  for (std::uint32_t batches = 1; batches <= 4; ++batches) {
    EXPECT_EQ(rig.round(rig.now), rig.now + 125ms);
    EXPECT_EQ(rig.refreshed(), std::min(batches * kBatch, kCount));
    rig.now += 125ms;
  }
}

TEST(RouteRefresher, LooksUpASharedPathOnce) {
  TunnelSlots slots = tunnels_of(2 * kBatch);
  for (std::uint32_t slot = kBatch; slot < slots.size(); ++slot) {
    Tunnel sharing = *slots[slot];
    sharing.path = slots[slot - kBatch]->path;
    slots[slot] = std::make_shared<const Tunnel>(std::move(sharing));
  }
  Refreshing rig{1};
  rig.publish(std::move(slots));
  EXPECT_EQ(rig.round(rig.now), rig.now + 1s);  // one batch is all
  EXPECT_EQ(rig.refreshed(), 2 * kBatch);
}

TEST(RouteRefresher, SkipsFreeSlots) {
  Refreshing rig{3};
  rig.publish({nullptr, tunnel_of(1), nullptr});
  rig.round(rig.now);
  EXPECT_TRUE(rig.is_refreshed(1));
}

TEST(RouteRefresher, LooksUpAllRoutesInTheCallWithoutAThread) {
  Refreshing rig{2 * kBatch};
  rig.refresher().refresh();
  EXPECT_EQ(rig.refreshed(), 2 * kBatch);
  rig.publish(tunnels_of(1));  // waits for no reader
}

TEST(RouteRefresher, LooksUpAllRoutesAsSoonAsTheyAreRequested) {
  Refreshing rig{kMany};
  ASSERT_TRUE(rig.refresher().start("test"));
  rig.refresher().refresh();
  EXPECT_TRUE(Refreshing::is_soon([&] { return rig.refreshed() == kMany; }));
}

TEST(RouteRefresher, LooksUpTheRouteOfARefusedPacketAlone) {
  Refreshing rig{200};
  rig.round(rig.now);
  rig.forget();
  rig.refresher().report_too_big(150);
  EXPECT_EQ(rig.round(rig.now), rig.now + 125ms);
  EXPECT_EQ(rig.refreshed(), 1u);
  EXPECT_TRUE(rig.is_refreshed(150));
}

TEST(RouteRefresher, LooksUpRoutesOfRefusedPacketsOnceAMillisecond) {
  Refreshing rig{200};
  rig.round(rig.now);
  rig.refresher().report_too_big(150);
  rig.round(rig.now);
  rig.forget();
  rig.refresher().report_too_big(150);
  rig.refresher().report_too_big(151);
  EXPECT_EQ(rig.round(rig.now), rig.now + 1ms);
  EXPECT_EQ(rig.refreshed(), 0u);
  EXPECT_EQ(rig.round(rig.now + 1ms), rig.now + 125ms);
  EXPECT_EQ(rig.refreshed(), 2u);
}

TEST(RouteRefresher, LooksUpTheLastOfTwoTunnelsInOnePlace) {
  Refreshing rig{200};
  rig.round(rig.now);
  rig.forget();
  rig.refresher().report_too_big(70);
  rig.refresher().report_too_big(70 + kBatch);
  rig.round(rig.now);
  EXPECT_FALSE(rig.is_refreshed(70));
  EXPECT_TRUE(rig.is_refreshed(70 + kBatch));
  rig.refresher().report_too_big(70);  // its next packet
  rig.round(rig.now + 1ms);
  EXPECT_TRUE(rig.is_refreshed(70));
}

TEST(RouteRefresher, IgnoresReportsOfTunnelsThatAreGone) {
  Refreshing rig{200};
  rig.round(rig.now);
  rig.refresher().report_too_big(150);
  rig.refresher().report_too_big(1);
  rig.publish({tunnel_of(0), nullptr});
  rig.round(rig.now);
  EXPECT_FALSE(rig.is_refreshed(0));
}

TEST(RouteRefresher, WakesUpForARefusedPacket) {
  Refreshing rig{kMany};
  ASSERT_TRUE(rig.refresher().start("test"));
  rig.refresher().report_too_big(kMany - 1);
  EXPECT_TRUE(Refreshing::is_soon([&] { return rig.is_refreshed(kMany - 1); }));
}

TEST(RouteRefresher, FollowsTheTables) {
  Refreshing rig{kBatch};
  ASSERT_TRUE(rig.refresher().start("test"));
  std::atomic<bool> stop{false};
  std::thread worker([&] {
    for (std::uint32_t slot = 0; !stop; slot = (slot + 1) % kBatch)
      rig.refresher().report_too_big(slot);
  });
  for (std::uint32_t count = 1; count <= 100; ++count) {
    rig.refresher().refresh();
    rig.publish(tunnels_of(count));
  }
  EXPECT_TRUE(Refreshing::is_soon([&] { return rig.refreshed() == 100u; }));
  stop = true;
  worker.join();
}

TEST(RouteRefresher, StartsAgain) {
  Refreshing rig{1};
  rig.refresher().stop();
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(rig.refresher().start("test"));
    ASSERT_TRUE(rig.refresher().start("test"));
    EXPECT_TRUE(Refreshing::is_soon([&] { return rig.refreshed() == 1u; }));
    rig.refresher().stop();
    rig.publish(tunnels_of(1));  // waits for no reader
    EXPECT_EQ(rig.refreshed(), 0u);
  }
}

}  // namespace
}  // namespace culvert::test
