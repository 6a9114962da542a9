#include "engine/ndp/ndp_probes.h"

#include <gtest/gtest.h>

#include <cstdio>

#include "tests/support/ndp_rig.h"

namespace culvert {
namespace {

using namespace culvert::test;

TEST(NdpProbing, AnswersOnceTheTargetHas) {
  NdpRig rig{config_with(NdpAnswer::probe)};
  EXPECT_THAT(rig.receive(routers_solicitation()), IsEmpty());
  EXPECT_THAT(rig.probed(), ElementsAre(kTarget));
  EXPECT_EQ(rig.responder().probes(rig.now).waiting, 1u);
  rig.expect_ignored(NdpIgnored::none, 0);
  rig.now += 20ms;
  EXPECT_THAT(rig.echo(kTarget), ElementsAre(SameBytes(answer_to_router())));
  EXPECT_THAT(rig.receive(routers_solicitation()), ElementsAre(SameBytes(answer_to_router())));
  EXPECT_THAT(rig.probed(), IsEmpty());
  rig.expect_ignored(NdpIgnored::none, 0);
  EXPECT_EQ(rig.responder().counters().totals().probes_answered, 1u);
}

TEST(NdpProbing, AsksAgainAsOftenAsItMayAndRemembersTheDead) {
  NdpConfig config = config_with(NdpAnswer::probe);
  NdpRig rig{config};
  rig.receive(routers_solicitation());
  for (unsigned tries = 1; tries < config.probe.tries; ++tries) {
    EXPECT_EQ(rig.responder().next_due(), rig.now + config.probe.timeout);
    rig.now += config.probe.timeout;
    EXPECT_THAT(rig.expire(), IsEmpty());
    EXPECT_THAT(rig.probed(), ElementsAre(kTarget));
  }
  rig.now += config.probe.timeout;
  EXPECT_THAT(rig.expire(), IsEmpty());
  EXPECT_THAT(rig.probed(), IsEmpty());
  EXPECT_EQ(rig.responder().next_due(), Time::max());
  rig.expect_ignored(NdpIgnored::probe_unanswered);
  EXPECT_EQ(rig.responder().probes(rig.now).dead, 1u);

  EXPECT_THAT(rig.receive(routers_solicitation()), IsEmpty());
  EXPECT_THAT(rig.probed(), IsEmpty());
  EXPECT_EQ(rig.responder().counters().totals().ignored[std::size_t(NdpIgnored::probe_known_dead)],
            1u);
  rig.now += config.probe.dead_ttl;
  rig.receive(routers_solicitation());
  EXPECT_THAT(rig.probed(), ElementsAre(kTarget)) << "the dead state has expired";
  rig.expect_balance();
}

TEST(NdpProbing, AsksAgainWhileItAnswersWhatIsKnown) {
  NdpConfig config = config_with(NdpAnswer::probe);
  NdpRig rig{config};
  rig.receive(routers_solicitation());
  rig.echo(kTarget);
  rig.now += config.probe.alive_ttl / 2;
  EXPECT_EQ(rig.receive(routers_solicitation()).size(), 1u);
  EXPECT_THAT(rig.probed(), ElementsAre(kTarget));
  EXPECT_EQ(rig.receive(routers_solicitation()).size(), 1u);
  EXPECT_THAT(rig.probed(), IsEmpty()) << "a probe is already running";
  for (unsigned tries = 0; tries < config.probe.tries; ++tries) {
    rig.now += config.probe.timeout;
    rig.expire();
  }
  EXPECT_THAT(rig.receive(routers_solicitation()), IsEmpty()) << "the target no longer exists";
  rig.expect_ignored(NdpIgnored::probe_known_dead);
}

TEST(NdpProbing, KeepsTwoThatWait) {
  NdpRig rig{config_with(NdpAnswer::probe)};
  rig.receive(routers_solicitation());
  rig.receive(detection());
  EXPECT_THAT(rig.probed(), IsEmpty());
  rig.receive(routers_solicitation());  // again: no third
  rig.receive(solicitation("fe80::fe", kTarget, kHostMac));
  rig.expect_ignored(NdpIgnored::probe_waiting, 2);
  EXPECT_THAT(rig.echo(kTarget),
              ElementsAre(SameBytes(answer_to_router()), SameBytes(duplicate_answer())));
  rig.expect_ignored(NdpIgnored::probe_waiting, 2);
}

TEST(NdpProbing, LeavesWhoHasGivenUp) {
  NdpConfig config = config_with(NdpAnswer::probe);
  config.probe.timeout = 10s;
  NdpRig rig{config};
  rig.receive(routers_solicitation());
  rig.now += NdpProbes::kSolicitorTimeout + 1ms;
  EXPECT_THAT(rig.echo(kTarget), IsEmpty());
  rig.expect_ignored(NdpIgnored::probe_unanswered);
  EXPECT_EQ(rig.receive(routers_solicitation()).size(), 1u) << "but knows the target";
}

TEST(NdpProbing, LeavesTheDetectedAddressToItsHost) {
  // No host behind us has the address, so the soliciting host may use it.
  NdpConfig config = config_with(NdpAnswer::probe);
  config.probe.tries = 1;
  NdpRig rig{config};
  rig.receive(detection());
  rig.now += config.probe.timeout;
  rig.expire();
  rig.now += config.probe.dead_ttl;
  EXPECT_EQ(rig.receive(routers_solicitation()).size(), 1u) << "it asks the host, not the target";
  EXPECT_THAT(rig.probed(), IsEmpty());
  rig.receive(
      advertisement(kTarget, kUs, kTarget, kSolicitedFlag | kOverrideFlag, kOurMac, kHostMac));
  EXPECT_EQ(rig.responder().counters().totals().ignored[std::size_t(NdpIgnored::on_link)], 1u);
}

TEST(NdpProbing, DoesNotTakeWhoAnswersFromTheAskingLink) {
  NdpRig rig{config_with(NdpAnswer::probe)};
  rig.receive(routers_solicitation());
  EXPECT_THAT(rig.echo(kTarget, kIndex), IsEmpty());
  rig.expect_ignored(NdpIgnored::on_link);
  EXPECT_THAT(rig.receive(routers_solicitation()), IsEmpty());
  EXPECT_THAT(rig.probed(), IsEmpty());
}

TEST(NdpProbing, HasItsTableFromTheFirstRuleThatProbes) {
  NdpConfig config = config_with(NdpAnswer::always);
  NdpResponder responder{config, 1};
  const auto before = responder.probe_table_size();
  EXPECT_LT(before, config.probe.cache);
  config.rules[0].answer = NdpAnswer::probe;
  responder.apply(config);
  EXPECT_EQ(responder.probe_table_size(), config.probe.cache);
  config.rules[0].answer = NdpAnswer::always;
  responder.apply(config);
  EXPECT_EQ(responder.probe_table_size(), config.probe.cache);
}

TEST(NdpProbing, TakesNoAnswerThatWasNotAskedFor) {
  NdpRig rig{config_with(NdpAnswer::probe)};
  EXPECT_THAT(rig.echo(kTarget), IsEmpty());
  EXPECT_EQ(rig.responder().probes(rig.now).alive, 0u);
}

std::string nth_target(unsigned n) {
  char text[40];
  std::snprintf(text, sizeof text, "2001:db8:0:1::%x:%x", 1 + (n >> 16), n & 0xffff);
  return text;
}

TEST(NdpProbing, IsLimited) {
  NdpConfig config = config_with(NdpAnswer::probe);
  config.probe.per_second = 10;
  NdpRig rig{config};
  for (unsigned n = 0; n < 30; ++n) rig.receive(routers_solicitation(nth_target(n)));
  EXPECT_EQ(rig.responder().probes(rig.now).waiting, 10u);
  rig.expect_ignored(NdpIgnored::probe_rate_limited, 20);
}

TEST(NdpProbing, ForgetsNobodyAliveInAScan) {
  // RFC 6583: the table is full of targets that are alive or being probed.
  NdpConfig config = config_with(NdpAnswer::probe);
  config.probe.cache = 16;
  config.probe.per_second = kMaxNdpProbesPerSecond;
  NdpRig rig{config};
  rig.receive(routers_solicitation());
  rig.echo(kTarget);
  for (unsigned n = 0; n < 1000; ++n) rig.receive(routers_solicitation(nth_target(n)));
  EXPECT_EQ(rig.responder().probes(rig.now).probing, 15u);
  rig.expect_ignored(NdpIgnored::probe_table_full, 1000 - 15);
  EXPECT_EQ(rig.receive(routers_solicitation()).size(), 1u);
}

}  // namespace
}  // namespace culvert
