// A path MTU that ICMP errors teach, and its expiry.
#include "engine/tables/path.h"

#include <gtest/gtest.h>

#include <chrono>

#include "tests/support/tunnel_rig.h"

namespace culvert::test {
namespace {

constexpr Time kNow{std::chrono::hours{1}};

TEST(Path, KeepsALearnedMtuForTenMinutes) {  // RFC 1191 6.3
  auto config = sit_config();
  config.remote = {};  // has no route, so only the expiry is looked at
  const Tunnel tunnel = make_tunnel(config, 1480, 1500);
  io::RouteLookup lookup;
  learn_path_mtu(tunnel, 1400, kNow);
  EXPECT_EQ(tunnel.path->mtu(), 1400);
  refresh_path(config, *tunnel.path, lookup, kNow + std::chrono::seconds{599});
  EXPECT_EQ(tunnel.path->mtu(), 1400);
  refresh_path(config, *tunnel.path, lookup, kNow + std::chrono::seconds{600});
  EXPECT_EQ(tunnel.path->mtu(), 1500);
}

TEST(Path, UsesTheSmallerOfBothMtus) {
  const Tunnel tunnel = make_tunnel(sit_config(), 1480, 1300);
  learn_path_mtu(tunnel, 1400, kNow);
  EXPECT_EQ(tunnel.path->mtu(), 1300);
}

TEST(LearnedMtu, IsKeptIfItIsLearnedAgain) {
  LearnedMtu learned;
  EXPECT_EQ(learned.load(), 0);
  learned.learn(1400, kNow);
  learned.learn(1300, kNow + std::chrono::milliseconds{1});
  learned.drop_expired(kNow);
  EXPECT_EQ(learned.load(), 1300);
  learned.drop_expired(kNow + std::chrono::milliseconds{1});
  EXPECT_EQ(learned.load(), 0);
}

}  // namespace
}  // namespace culvert::test
