// An NdpLoop with its thread, and with a MemoryNdpIo in place of sockets.
#include "engine/ndp/ndp_loop.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <thread>
#include <vector>

#include "tests/support/memory_ndp_io.h"
#include "tests/support/ndp_rig.h"

namespace culvert {
namespace {

using namespace culvert::test;

class LoopRig {
 public:
  explicit LoopRig(const NdpConfig& config) : loop(config, io, 4861) {
    NdpRules rules{config, {}};
    loop.responder().set_rules(rules);
    NdpInterface interface;
    interface.index = kIndex;
    interface.address = {{2, 0, 0, 0, 0, 1}};
    interface.link_local = interface.own.emplace_back(address6(kUs));
    loop.responder().set_interface(interface);
    EXPECT_TRUE(loop.start("eth0"));
  }
  NdpTotals totals() {
    NdpTotals totals;
    loop.call([&] { totals = loop.responder().counters().totals(); });
    return totals;
  }
  std::uint64_t ignored(NdpIgnored reason) {
    return totals().ignored[static_cast<std::size_t>(reason)];
  }
  std::size_t delayed() {
    std::size_t count = 0;
    loop.call([&] { count = loop.delayed(); });
    return count;
  }
  /// Each call() ends after one round at the latest, so this ends when the loop has read all.
  void await_received(std::uint64_t count) {
    while (totals().received < count) std::this_thread::yield();
  }

  MemoryNdpIo io;
  NdpLoop loop;
};

std::vector<proto::Ipv6Address> targets(std::size_t count) {
  std::vector<proto::Ipv6Address> targets(count, address6("2001:db8:0:1::100"));
  for (std::size_t i = 0; i < count; ++i) targets[i].bytes[15] = static_cast<std::byte>(i);
  return targets;
}

NdpConfig delaying(std::chrono::milliseconds delay) {
  NdpConfig config = config_with(NdpAnswer::always);
  config.delay = delay;
  config.answers_per_second = config.answers_per_second_per_source = 0;
  return config;
}

TEST(NdpLoop, AnswersAFrame) {
  LoopRig rig{config_with(NdpAnswer::always)};
  rig.io.put(routers_solicitation());
  rig.io.await_sent(1);
  EXPECT_THAT(rig.io.sent().front().bytes, SameBytes(answer_to_router()));
  EXPECT_EQ(rig.totals().answers, 1u);
}

TEST(NdpLoop, CountsAnswersThatCannotBeSent) {
  LoopRig rig{config_with(NdpAnswer::always)};
  rig.io.set_send_error(ENOBUFS);
  rig.io.put(routers_solicitation());
  rig.io.await_sent(1);
  EXPECT_EQ(rig.ignored(NdpIgnored::send_failed), 1u);
  EXPECT_EQ(rig.totals().answers, 0u);
}

TEST(NdpLoop, AnnouncesTargetsInBursts) {
  LoopRig rig{config_with(NdpAnswer::always)};
  const auto start = std::chrono::steady_clock::now();
  rig.loop.call([&] { rig.loop.announce(targets(70)); });
  rig.io.await_sent(70);
  const auto sent = rig.io.sent();
  ASSERT_EQ(sent.size(), 70u);
  EXPECT_GE(sent[32].at, start + 100ms);
  EXPECT_GE(sent[64].at, start + 200ms);
  EXPECT_EQ(rig.totals().announcements, 70u);
}

TEST(NdpLoop, KeepsAnnouncementsUntilThereIsAnInterface) {
  LoopRig rig{config_with(NdpAnswer::always)};
  rig.io.set_open(false);
  rig.loop.call([&] { rig.loop.announce(targets(1)); });
  rig.io.put(routers_solicitation());
  rig.io.await_sent(1);
  EXPECT_EQ(rig.totals().announcements, 0u);
  rig.io.set_open(true);
  rig.io.wake();
  rig.io.await_sent(2);
  EXPECT_EQ(rig.totals().announcements, 1u);
}

TEST(NdpLoop, DropsAnswersThatItsDelayQueueCannotHold) {
  LoopRig rig{delaying(1h)};
  for (int i = 0; i < 1030; ++i) rig.io.put(routers_solicitation());
  rig.await_received(1030);
  EXPECT_EQ(rig.delayed(), 1024u);
  EXPECT_EQ(rig.ignored(NdpIgnored::delay_queue_full), 6u);
  EXPECT_TRUE(rig.io.sent().empty());
}

TEST(NdpLoop, DropsPendingFramesOfAnInterfaceThatIsGone) {
  LoopRig rig{delaying(1h)};
  rig.io.set_open(false);
  rig.io.put(routers_solicitation());
  rig.await_received(1);
  rig.loop.call([&] {
    rig.loop.announce(targets(1));
    rig.loop.drop_pending();
  });
  EXPECT_EQ(rig.delayed(), 0u);
  rig.io.set_open(true);
  rig.loop.call([] {});
  rig.loop.call([] {});  // one whole round lies between the two
  EXPECT_TRUE(rig.io.sent().empty());
}

TEST(NdpLoop, ProbesAndAnswersWhenTheTargetReplies) {
  LoopRig rig{config_with(NdpAnswer::probe)};
  rig.io.put(routers_solicitation());
  rig.io.await_probe();
  EXPECT_EQ(rig.io.probes().front().target, address6(kTarget));
  EXPECT_TRUE(rig.io.sent().empty());
  rig.io.put(io::ProbeReply{.target = address6(kTarget), .interface_index = kTunnelDevice});
  rig.io.await_sent(1);
  EXPECT_THAT(rig.io.sent().front().bytes, SameBytes(answer_to_router()));
}

TEST(NdpLoop, SleepsUntilAFrameIsDue) {
  LoopRig rig{delaying(1h)};
  rig.io.await_wait(1h - 1ms, 1h);  // nothing is due
  rig.io.put(routers_solicitation());
  rig.io.await_wait(1ms, 1h - 1s);  // the random delay of the answer
  EXPECT_EQ(rig.delayed(), 1u);
}

TEST(NdpLoop, RunsCallsOnItsThreadWhileItRuns) {
  LoopRig rig{config_with(NdpAnswer::always)};
  rig.io.await_wait(1h - 1ms, 1h);  // a call ends the wait
  std::thread::id caller;
  rig.loop.call([&] { caller = std::this_thread::get_id(); });
  EXPECT_NE(caller, std::this_thread::get_id());
  rig.loop.stop();
  rig.loop.call([&] { caller = std::this_thread::get_id(); });
  EXPECT_EQ(caller, std::this_thread::get_id());
}

}  // namespace
}  // namespace culvert
