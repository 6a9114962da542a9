#include "engine/tables/tunnel_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/tables/path.h"
#include "engine/tables/tables.h"
#include "engine/tables/tunnel_stats.h"
#include "tests/support/tunnel_rig.h"

namespace culvert::test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TunnelConfig named(const std::string& name, int remote) {
  TunnelConfig config = sit_config();
  config.name = name;
  config.remote = remote_numbered(remote);
  return config;
}
constexpr std::uint16_t kMtu = 1480;

TEST(TunnelPlan, CarriesNoIpv6BelowItsMinimumMtu) {
  TunnelConfig gre = named("a", 1);
  gre.mode = proto::Gre::Parameters{};
  const auto small = plan_tunnels({}, {gre}, std::uint16_t{1279}, false);
  EXPECT_EQ(small.slots[0]->ip_protocol(proto::kProtocolTypeIpv6), 0);
  EXPECT_NE(small.slots[0]->ip_protocol(proto::kProtocolTypeIpv4), 0);
  const auto large = plan_tunnels(small.slots, {gre}, std::uint16_t{1280}, false);
  EXPECT_NE(large.slots[0]->ip_protocol(proto::kProtocolTypeIpv6), 0);
}

TEST(TunnelPlan, HasTheMtuOfIpv6IfATunnelBesideAnIpipTunnelCarriesIt) {
  TunnelConfig ipip = named("ipip", 1);
  ipip.mode = proto::Ipip::Parameters{};
  const TunnelConfig sit = named("sit", 1);
  const auto before = plan_tunnels({}, {ipip}, kMtu);
  before.slots[0]->path->route_mtu = 1200;  // the path of all tunnels with this remote
  EXPECT_EQ(plan_tunnels(before.slots, {ipip}, std::nullopt).device_mtu, 1180);
  EXPECT_EQ(plan_tunnels(before.slots, {ipip, sit}, std::nullopt).device_mtu, 1280);
  EXPECT_EQ(plan_tunnels(before.slots, {sit, ipip}, std::nullopt).device_mtu, 1280);
  before.slots[0]->path->route_mtu = 1400;
  EXPECT_EQ(plan_tunnels(before.slots, {ipip, sit}, std::nullopt).device_mtu, 1380);
}

TEST(TunnelPlan, GivesTheFirstTunnelsTheFirstSlots) {
  const auto plan = plan_tunnels({}, {named("a", 1), named("b", 2)}, kMtu);
  EXPECT_THAT(plan.by_position, ElementsAre(0, 1));
  EXPECT_THAT(plan.added, ElementsAre(0, 1));
  EXPECT_THAT(plan.removed, IsEmpty());
  EXPECT_EQ(plan.slots.at(1)->config.name, "b");
  EXPECT_EQ(plan.slots.at(1)->index, 1u);
  EXPECT_EQ(plan.slots.at(1)->device_mtu, 1480);
}

TEST(TunnelPlan, SharesWhatHasNotChangedWhereverItStands) {
  const auto before = plan_tunnels({}, {named("a", 1), named("b", 2)}, kMtu);
  const auto after = plan_tunnels(before.slots, {named("b", 2), named("a", 1)}, kMtu);
  EXPECT_THAT(after.by_position, ElementsAre(1, 0));
  EXPECT_EQ(after.slots, before.slots);
  EXPECT_THAT(after.with_new_path, IsEmpty());
}

TEST(TunnelPlan, KeepsSlotAndPathOfAChangedTunnel) {
  const auto before = plan_tunnels({}, {named("a", 1), named("b", 2)}, kMtu);
  auto changed = named("b", 2);
  changed.ttl = std::uint8_t{9};
  const auto after = plan_tunnels(before.slots, {named("a", 1), changed}, kMtu);
  EXPECT_EQ(after.slots[0], before.slots[0]);
  EXPECT_NE(after.slots[1], before.slots[1]);
  EXPECT_EQ(after.slots[1]->path, before.slots[1]->path);
  EXPECT_THAT(after.added, IsEmpty());
}

TEST(TunnelPlan, MakesANewPathForNewEnds) {
  const auto before = plan_tunnels({}, {named("a", 1), named("b", 2)}, kMtu);
  const auto after = plan_tunnels(before.slots, {named("a", 1), named("b", 3)}, kMtu);
  EXPECT_NE(after.slots[1]->path, before.slots[1]->path);
  EXPECT_THAT(after.with_new_path, ElementsAre(1));
  EXPECT_THAT(after.added, IsEmpty());
}

TunnelConfig with_key(const std::string& name, int remote, std::uint32_t key) {
  TunnelConfig config = named(name, remote);
  config.mode = proto::Gre::Parameters{.ikey = key, .okey = key};
  return config;
}

TEST(TunnelPlan, GivesOnePathToTunnelsWithTheSameEnds) {
  const auto before =
      plan_tunnels({}, {with_key("a", 1, 1), with_key("b", 1, 2), named("c", 2)}, kMtu);
  EXPECT_EQ(before.slots[0]->path, before.slots[1]->path);
  EXPECT_NE(before.slots[0]->path, before.slots[2]->path);
  const Tables tables{before.slots};
  EXPECT_THAT(tables.one_per_path(), ElementsAre(before.slots[0].get(), before.slots[2].get()));

  const auto after = plan_tunnels(before.slots, {with_key("b", 1, 2), with_key("d", 1, 4)}, kMtu);
  EXPECT_EQ(after.slots[3]->path, before.slots[0]->path);  // as `b` still has it
  EXPECT_THAT(after.with_new_path, ElementsAre(3));
}

TEST(TunnelPlan, TeachesAPathMtuToAllTunnelsOfThePath) {
  const auto plan = plan_tunnels({}, {with_key("a", 1, 1), with_key("b", 1, 2)}, kMtu);
  learn_path_mtu(*plan.slots[0], 1400, Time{std::chrono::hours{1}});
  EXPECT_EQ(plan.slots[1]->path->mtu(), 1400);
}

// A worker may be counting in the slot of a removed tunnel until the plan's tables are published.
TEST(TunnelPlan, GivesAFreedSlotAwayOnlyTheNextTime) {
  const auto before = plan_tunnels({}, {named("a", 1), named("b", 2)}, kMtu);
  const auto replaced = plan_tunnels(before.slots, {named("c", 3), named("b", 2)}, kMtu);
  EXPECT_THAT(replaced.by_position, ElementsAre(2, 1));
  EXPECT_THAT(replaced.removed, ElementsAre(0));
  EXPECT_EQ(replaced.slots.at(0), nullptr);
  const auto next =
      plan_tunnels(replaced.slots, {named("c", 3), named("b", 2), named("d", 4)}, kMtu);
  EXPECT_THAT(next.by_position, ElementsAre(2, 1, 0));
  EXPECT_THAT(next.added, ElementsAre(0));
}

TEST(TunnelPlan, HasRoomForAllTunnelsToBeReplacedAtOnce) {
  std::vector<TunnelConfig> old, fresh;
  for (std::size_t i = 0; i < kMaxTunnels; ++i) {
    TunnelConfig config = sit_config();
    config.remote = {};  // no route is looked up
    config.name = "old" + std::to_string(i);
    old.push_back(config);
    config.name = "new" + std::to_string(i);
    fresh.push_back(config);
  }
  const auto before = plan_tunnels({}, old, kMtu);
  const auto after = plan_tunnels(before.slots, fresh, kMtu);
  EXPECT_EQ(after.slots.size(), kMaxSlots);
  EXPECT_EQ(after.removed.size(), kMaxTunnels);
  const auto again = plan_tunnels(after.slots, old, kMtu);
  EXPECT_EQ(again.slots.size(), kMaxSlots);
}

TEST(TunnelStats, AreZeroWhereASlotIsUsedAgain) {
  TunnelStats stats;
  EXPECT_EQ(stats.totals(700).in_packets, 0u);
  ASSERT_TRUE(stats.prepare(700, 5));
  const auto counters = stats.counters(700);
  counters->in_packets.add(3);
  counters.add(RareCounter::too_big_sent, 4);
  counters.drop(DropReason::routing_loop, 2);
  stats.state(700).next_sequence = 9;
  ASSERT_TRUE(stats.prepare(701, 6));
  const Totals totals = stats.totals(700);
  EXPECT_EQ(totals.in_packets, 3u);
  EXPECT_EQ(totals.too_big_sent, 4u);
  EXPECT_EQ(totals.dropped(DropReason::routing_loop), 2u);
  EXPECT_EQ(totals.dropped(Direction::outbound), 2u);
  EXPECT_EQ(stats.totals(701).dropped(Direction::outbound), 0u);
  ASSERT_TRUE(stats.prepare(700, 7));
  EXPECT_EQ(stats.totals(700).in_packets, 0u);
  EXPECT_EQ(stats.totals(700).too_big_sent, 0u);
  EXPECT_EQ(stats.totals(700).dropped(Direction::outbound), 0u);
  EXPECT_EQ(stats.state(700).next_sequence, 0u);
  EXPECT_EQ(stats.state(700).next_identification, 7);
}

}  // namespace
}  // namespace culvert::test
