#include "engine/flows/flow_table.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/engine/flows/flow_rig.h"

namespace culvert {
namespace {

using namespace test;
using std::chrono::seconds;

constexpr std::uint16_t kA = 1, kB = 2, kRoute = 9;

TEST(FlowTable, SendsAFlowBackTheWayItCame) {
  FlowRig rig;
  rig.in(FlowRig::key(7), kA);
  EXPECT_EQ(rig.out(FlowRig::key(7), kRoute), kA);
  EXPECT_EQ(rig.find(FlowRig::key(7)), FlowRig::pin_of(kA));
  EXPECT_EQ(rig.out(FlowRig::key(8), kRoute), kRoute);
}

TEST(FlowTable, MovesAFlowThatWasOpenedInboundToWhereItComesFrom) {
  FlowRig rig;
  rig.in(FlowRig::key(7), kA);
  rig.in(FlowRig::key(7), kB);
  EXPECT_EQ(rig.find(FlowRig::key(7)), FlowRig::pin_of(kB));
  ASSERT_EQ(rig.all().size(), 1u);
  EXPECT_EQ(rig.all().front().packets, 2u);
}

TEST(FlowTable, LeavesAFlowThatWasOpenedOutboundWhereItWasPlaced) {
  FlowRig rig;
  EXPECT_EQ(rig.out(FlowRig::key(7), kA), kA);
  rig.in(FlowRig::key(7), kB);
  EXPECT_EQ(rig.out(FlowRig::key(7), kRoute), kA);
  EXPECT_EQ(rig.find(FlowRig::key(7)), FlowPin{.slot = kA});
}

TEST(FlowTable, MovesAFlowThatIsPlacedAgain) {
  FlowRig rig;
  rig.in(FlowRig::key(7), kA);
  const auto hash = rig.table().hash(FlowRig::key(7));
  rig.table().place(FlowRig::key(7), hash, rig.step(Direction::outbound, 0, 1), {.slot = kB});
  EXPECT_EQ(rig.out(FlowRig::key(7), kRoute), kB);
  EXPECT_EQ(rig.all().size(), 1u);
}

TEST(FlowTable, TellsOfEachFlow) {
  FlowRig rig;
  rig.in(FlowRig::key(0x0050'1234, kTcpProtocol), kA, kSyn, 1);
  rig.now += seconds{5};
  rig.out(FlowRig::key(0x0050'1234, kTcpProtocol), kRoute, kSyn | kAck);
  rig.in(FlowRig::key(0x0050'1234, kTcpProtocol), kA, kAck, 40);
  rig.now += seconds{3};
  ASSERT_EQ(rig.all().size(), 1u);
  const FlowRecord flow = rig.all().front();
  EXPECT_EQ(flow.key, FlowRig::key(0x0050'1234, kTcpProtocol));
  EXPECT_EQ(flow.pin, FlowRig::pin_of(kA));
  EXPECT_EQ(flow.tracked, (TrackedState{FlowState::established, Direction::inbound}));
  EXPECT_EQ(flow.age, seconds{8});
  EXPECT_EQ(flow.idle, seconds{3});
  EXPECT_EQ(flow.packets, 42u);
}

TEST(FlowTable, KeepsNoInterfaceIndexThatDoesNotFit) {
  FlowRig rig;
  const FlowKey key = FlowRig::key(1);
  const auto pin = [&](std::uint32_t interface_index) {
    rig.table().pin(key, rig.table().hash(key), rig.step(Direction::inbound, 0, 1),
                    {.slot = kA, .interface_index = interface_index});
    return rig.find(key)->interface_index;
  };
  EXPECT_EQ(pin(0xff'ffff), 0xff'ffffu);
  EXPECT_EQ(pin(0x100'0000), 0u);
}

// An ICMP error about a flow is not counted as its packet.
TEST(FlowTable, ChangesNothingWhenAnErrorAsks) {
  FlowRig rig;
  EXPECT_FALSE(rig.find(FlowRig::key(7)));
  EXPECT_TRUE(rig.all().empty());
  rig.in(FlowRig::key(7), kA);
  rig.now += seconds{30};
  EXPECT_TRUE(rig.find(FlowRig::key(7)));
  rig.now += seconds{1};
  EXPECT_FALSE(rig.find(FlowRig::key(7)));
}

TEST(FlowTable, FindsAFlowOfTheLastSecond) {
  FlowRig rig;
  rig.in(FlowRig::key(7), kA);
  const auto find_recent = [&] {
    const FlowKey key = FlowRig::key(7);
    return rig.table().find_recent(key, rig.table().hash(key), rig.table().tick(rig.now));
  };
  rig.now += seconds{1};
  EXPECT_EQ(find_recent(), FlowRig::pin_of(kA));
  rig.now += seconds{1};
  EXPECT_FALSE(find_recent());  // although the flow is there
  EXPECT_TRUE(rig.find(FlowRig::key(7)));
}

TEST(FlowTable, ForgetsAFlowThatIsOver) {
  FlowRig rig;
  rig.in(FlowRig::key(7), kA);
  rig.now += seconds{31};
  EXPECT_TRUE(rig.all().empty());
  EXPECT_EQ(rig.out(FlowRig::key(7), kRoute), kRoute);  // a new flow that began outbound
  ASSERT_EQ(rig.all().size(), 1u);
  EXPECT_EQ(rig.all().front().tracked, (TrackedState{FlowState::opening, Direction::outbound}));
  EXPECT_EQ(rig.all().front().age, seconds{0});
}

// ---- the clock ----------------------------------------------------------------------------------

TEST(FlowTick, CountsOnOverItsEnd) {
  const FlowTick last{0xff'fff0}, first{0x100'0010};
  EXPECT_EQ(first.since(last), seconds{32});
  EXPECT_EQ(last.since(first), seconds{0});  // another worker's clock is ahead
  EXPECT_EQ(FlowTick{5}.since(FlowTick{5}), seconds{0});
  EXPECT_EQ(FlowTick{5}.since(FlowTick{65}), seconds{0});
  EXPECT_EQ(FlowTick{5}.since(FlowTick{66}), seconds{0xff'ffff - 60});
}

TEST(FlowTable, LivesOnOverTheEndOfItsTicks) {
  FlowRig rig;
  rig.now += seconds{0xff'fff0};
  rig.in(FlowRig::key(7), kA);
  rig.out(FlowRig::key(7), kRoute);
  for (int i = 0; i < 10; ++i) {
    rig.now += seconds{300};
    EXPECT_EQ(rig.out(FlowRig::key(7), kRoute), kA) << i;
  }
  EXPECT_EQ(rig.all().front().age, seconds{3'000});
  rig.now += seconds{301};
  EXPECT_EQ(rig.out(FlowRig::key(7), kRoute), kRoute);
}

TEST(FlowTable, TakesNoHarmFromAWorkerWhoseClockIsBehind) {
  FlowRig rig;
  rig.in(FlowRig::key(7), kA);
  rig.now -= seconds{1};
  EXPECT_EQ(rig.out(FlowRig::key(7), kRoute), kA);
  rig.now += seconds{1};
  EXPECT_EQ(rig.all().front().idle, seconds{0});
}

// ---- removed tunnels ----------------------------------------------------------------------------

TEST(FlowTable, LeavesNothingOfARemovedTunnelForTheNextInItsSlot) {
  FlowRig rig;
  for (std::uint32_t i = 0; i < 300; ++i) rig.in(FlowRig::key(i), i % 3 == 0 ? kA : kB);
  EXPECT_EQ(rig.table().forget(kA), 100u);
  EXPECT_EQ(rig.table().forget(kA), 0u);
  EXPECT_EQ(rig.all().size(), 200u);
  for (std::uint32_t i = 0; i < 300; ++i)
    EXPECT_EQ(rig.out(FlowRig::key(i), kRoute), i % 3 == 0 ? kRoute : kB) << i;
  EXPECT_EQ(rig.all().size(), 300u);
}

TEST(FlowTable, FillsThePlacesOfForgottenFlowsAgain) {
  FlowRig rig;
  for (int round = 0; round < 50; ++round) {
    for (std::uint32_t i = 0; i < 500; ++i) rig.in(FlowRig::key(round * 1000 + i), kA);
    EXPECT_EQ(rig.all().size(), 500u);
    EXPECT_EQ(rig.table().forget(kA), 500u);
  }
  EXPECT_EQ(rig.table().counts().created, 25'000u);
  EXPECT_EQ(rig.table().counts().displaced, 0u);
}

// ---- a full table -------------------------------------------------------------------------------

// The figures of flow_table.h.
TEST(FlowTable, HoldsAboutAsManyFlowsAsItIsFor) {
  for (const std::size_t flows : {1'024u, 65'536u, 1'048'576u}) {
    FlowRig rig(flows);
    std::uint32_t count = 0;
    while (rig.table().counts().displaced == 0) rig.in(FlowRig::key(count++), kA);
    EXPECT_GT(count, flows * 70 / 100) << flows;
    while (count < flows) rig.in(FlowRig::key(count++), kA);
    EXPECT_GT(rig.all().size(), flows * 95 / 100) << flows;
  }
}

TEST(FlowTable, GivesThePlaceOfAnEndedFlowAwayFirst) {
  FlowRig rig(8);  // one group
  for (std::uint32_t i = 0; i < 8; ++i) rig.in(FlowRig::key(i, i == 5 ? 17 : 6), kA);
  rig.now += seconds{31};  // the UDP flow has expired
  rig.in(FlowRig::key(100), kB);
  EXPECT_EQ(rig.table().counts().displaced, 0u);
  EXPECT_EQ(rig.all().size(), 8u);
  EXPECT_TRUE(rig.find(FlowRig::key(100)));
}

TEST(FlowTable, GivesTheLongestIdleFlowAwayNext) {
  FlowRig rig(8);
  for (std::uint32_t i = 0; i < 8; ++i) {
    rig.in(FlowRig::key(i), kA);
    rig.now += seconds{1};
  }
  rig.in(FlowRig::key(0), kA);   // no longer the oldest
  rig.out(FlowRig::key(1), kA);  // established
  rig.in(FlowRig::key(100), kB);
  EXPECT_FALSE(rig.find(FlowRig::key(2)));
  EXPECT_TRUE(rig.find(FlowRig::key(0)) && rig.find(FlowRig::key(1)) && rig.find(FlowRig::key(3)));
  EXPECT_EQ(rig.table().counts().displaced, 1u);
  EXPECT_EQ(rig.table().counts().displaced_established, 0u);
}

TEST(FlowTable, GivesAnEstablishedFlowAwayOnlyAfterItsProtectedTime) {
  FlowRig rig(8);
  for (std::uint32_t i = 0; i < 8; ++i) {
    rig.in(FlowRig::key(i), kA);
    rig.out(FlowRig::key(i), kA);
  }
  rig.now += FlowTable::kProtected;
  rig.in(FlowRig::key(100), kB, 0, 3);
  EXPECT_FALSE(rig.find(FlowRig::key(100)));
  EXPECT_EQ(rig.out(FlowRig::key(100), kRoute), kRoute);  // forwarded without a pin
  EXPECT_EQ(rig.table().counts().flow_table_full, 4u);
  EXPECT_EQ(rig.table().counts().displaced, 0u);
  for (std::uint32_t i = 1; i < 8; ++i) rig.in(FlowRig::key(i), kA);
  rig.now += seconds{1};
  rig.in(FlowRig::key(100), kB);
  EXPECT_TRUE(rig.find(FlowRig::key(100)));
  EXPECT_FALSE(rig.find(FlowRig::key(0)));
  EXPECT_EQ(rig.table().counts().displaced_established, 1u);
}

// As flow_table.h promises: unanswered flows evict no answered flow.
TEST(FlowTable, LosesNoEstablishedFlowToAnAttackOfRandomFlows) {
  constexpr std::uint32_t kFlows = 4'096, kEstablished = kFlows / 2, kAttack = 40 * kFlows;
  FlowRig rig(kFlows);
  for (std::uint32_t i = 0; i < kEstablished; ++i) {
    rig.in(FlowRig::key(i, kTcpProtocol), kA, kSyn);
    rig.out(FlowRig::key(i, kTcpProtocol), kRoute, kSyn | kAck);
  }
  std::mt19937 random{5};
  for (std::uint32_t i = 0; i < kAttack; ++i) {
    if (i % 1'000 == 0) rig.now += seconds{1};
    const bool is_tcp = random() % 2 == 0;
    const FlowKey key = FlowRig::key(static_cast<std::uint32_t>(0x8000'0000 | random()),
                                     is_tcp ? kTcpProtocol : kUdpProtocol);
    rig.in(key, kB, kSyn);
    if (is_tcp && random() % 2 == 0) rig.out(key, kRoute, kRst | kAck);  // a closed port answers
  }
  for (std::uint32_t i = 0; i < kEstablished; ++i)
    ASSERT_EQ(rig.out(FlowRig::key(i, kTcpProtocol), kRoute, kAck), kA) << i;
  EXPECT_EQ(rig.table().counts().displaced_established, 0u);
  EXPECT_EQ(rig.table().counts().flow_table_full, 0u);
  EXPECT_GT(rig.table().counts().displaced, kAttack / 2);
}

TEST(FlowTable, RefusesWhatTheMachineDoesNotHave) {
  const auto table = FlowTable::open(std::size_t{1} << 44);
  ASSERT_FALSE(table);
  EXPECT_EQ(table.error().operation, "map flow table");
}

TEST(FlowTable, HasAKeyOfItsOwn) {
  const auto one = FlowTable::open(1'024), other = FlowTable::open(1'024);
  ASSERT_TRUE(one && other);
  EXPECT_NE((*one)->hash(FlowRig::key(1)), (*other)->hash(FlowRig::key(1)));
  EXPECT_EQ((*one)->capacity(), 1'024u);
}

}  // namespace
}  // namespace culvert
