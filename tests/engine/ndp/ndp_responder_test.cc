#include "engine/ndp/ndp_responder.h"

#include <gtest/gtest.h>

#include "tests/support/ndp_rig.h"

namespace culvert {
namespace {

using namespace culvert::test;

// ---- the format of answers ----------------------------------------------------------------------

TEST(NdpAnswer, GoesToTheAskerWithSolicitedFlagAndWithoutOverride) {
  // RFC 4861 7.2.4, 7.2.8.
  NdpRig rig{config_with(NdpAnswer::always)};
  EXPECT_THAT(rig.receive(routers_solicitation()), ElementsAre(SameBytes(answer_to_router())));
  EXPECT_TRUE(rig.may_wait());
  rig.expect_ignored(NdpIgnored::none, 0);
}

TEST(NdpAnswer, SaysRouterAsConfigured) {
  NdpConfig config = config_with(NdpAnswer::always);
  config.router = false;
  NdpRig rig{config};
  EXPECT_THAT(rig.receive(routers_solicitation()),
              ElementsAre(SameBytes(answer_to_router(kTarget, kSolicitedFlag))));
}

TEST(NdpAnswer, GoesToTheFrameSourceWithoutAnOption) {
  NdpRig rig{config_with(NdpAnswer::always)};
  EXPECT_THAT(rig.receive(solicitation(kRouter, kTarget, kRouterMac)),
              ElementsAre(SameBytes(answer_to_router())));
  // A multicast link-layer address is not used either.
  EXPECT_THAT(
      rig.receive(solicitation(kRouter, kTarget, kRouterMac, {.option = "33 33 00 00 00 01"})),
      ElementsAre(SameBytes(answer_to_router())));
}

TEST(NdpAnswer, PrefersTheOptionToTheFrameSource) {
  NdpRig rig{config_with(NdpAnswer::always)};
  EXPECT_THAT(rig.receive(solicitation(kRouter, kTarget, kHostMac, {.option = kRouterMac})),
              ElementsAre(SameBytes(answer_to_router())));
}

TEST(NdpAnswer, IsGivenToUnicastSolicitations) {
  // Neighbor unreachability detection, RFC 4861 7.3.3: to the target itself, at our address.
  NdpRig rig{config_with(NdpAnswer::always)};
  EXPECT_THAT(rig.receive(solicitation(kRouter, kTarget, kRouterMac,
                                       {.destination = kTarget, .ethernet_destination = kOurMac})),
              ElementsAre(SameBytes(answer_to_router())));
  EXPECT_FALSE(rig.may_wait());
}

TEST(NdpAnswer, TellsAllNodesOfADuplicate) {
  // RFC 4861 7.2.4 and 4862 5.4.3: S clear, to ff02::1.
  NdpRig rig{config_with(NdpAnswer::always)};
  EXPECT_THAT(rig.receive(detection()), ElementsAre(SameBytes(duplicate_answer())));
  EXPECT_EQ(rig.responder().counters().totals().duplicate_answers, 1u);
}

TEST(NdpAnnouncement, IsUnsolicitedToAllNodes) {
  // RFC 4861 7.2.6, 7.2.8: S and O clear.
  NdpRig rig{config_with(NdpAnswer::always)};
  rig.responder().announce(address6(kTarget), rig.now, rig.out());
  ASSERT_EQ(rig.out().frames().size(), 1u);
  EXPECT_THAT(rig.out().frames()[0].bytes, SameBytes(duplicate_answer()));
  rig.responder().count(rig.out().frames()[0], NdpIgnored::none);
  EXPECT_EQ(rig.responder().counters().totals().announcements, 1u);
  rig.expect_ignored(NdpIgnored::none, 0);
}

TEST(NdpAnnouncement, IsNotMadeForOthersTargets) {
  NdpRig rig{config_with(NdpAnswer::automatic)};
  for (const auto* target : {kTarget, "2001:db8:0:1::1", "2001:db8::9"})
    rig.responder().announce(address6(target), rig.now, rig.out());
  EXPECT_TRUE(rig.out().frames().empty());
}

/// The IPv6 source address of a frame.
proto::Ipv6Address source_in(const Bytes& frame) {
  return proto::load<proto::Ipv6Address>(std::span{frame}.subspan<proto::kEthernetHeaderBytes>(),
                                         8);
}

TEST(NdpSourceAddress, IsThatOfTheConfiguration) {
  NdpConfig config = config_with(NdpAnswer::always);
  config.source = NdpSource::target;
  NdpRig rig{config};
  EXPECT_EQ(source_in(rig.receive(routers_solicitation()).at(0)), address6(kTarget));
  config.source = NdpSource::global;
  rig.responder().apply(config);
  EXPECT_THAT(rig.receive(routers_solicitation()), IsEmpty());  // the interface has none
  rig.expect_ignored(NdpIgnored::interface_unready);
  rig.set_global("2001:db8:0:1::1");
  EXPECT_EQ(source_in(rig.receive(routers_solicitation()).at(0)), address6("2001:db8:0:1::1"));
}

/// The frame that announces kTarget in a form.
Bytes announcement(NdpRig& rig, NdpAnnounce form) {
  NdpConfig config = config_with(NdpAnswer::always);
  config.announce = form;
  rig.responder().apply(config);
  return rig.announce(kTarget).at(0);
}

TEST(NdpAnnouncement, CanHaveTheFormOfDuplicateAddressDetection) {
  // RFC 4862 5.4.2: from ::, to the solicited-node group, without a link-layer address option.
  NdpRig rig{config_with(NdpAnswer::always)};
  EXPECT_THAT(announcement(rig, NdpAnnounce::duplicate_detection),
              SameBytes(solicitation("::", kTarget, kOurMac)));
}

TEST(NdpAnnouncement, CanBeAnEchoRequestOfTheTarget) {
  NdpRig rig{config_with(NdpAnswer::always)};
  const auto echo_to = [](const char* router) {
    return Bytes{ipv6(kTarget, router) / icmpv6(128, 0)};
  };
  const auto packet = [](const Bytes& frame) {
    return Bytes(frame.begin() + proto::kEthernetHeaderBytes, frame.end());
  };
  const auto receiver = [](const Bytes& frame) {
    return proto::load<proto::EthernetAddress>(frame, proto::kEthernetDestinationOffset);
  };
  constexpr proto::EthernetAddress kRouterAddress{{2, 0, 0, 0, 0, 0xff}};
  const Bytes to_all = announcement(rig, NdpAnnounce::echo_request);
  EXPECT_THAT(packet(to_all), SameBytes(echo_to("ff02::2")));
  EXPECT_EQ(receiver(to_all), proto::ethernet_group(proto::kAllRouters));
  std::vector gateways{address6(kRouter)};
  rig.responder().set_gateways(gateways);
  std::vector<NdpNeighbor> known{{address6(kRouter), kRouterAddress}};
  rig.responder().set_on_link(known);
  const Bytes to_router = announcement(rig, NdpAnnounce::echo_request);
  EXPECT_THAT(packet(to_router), SameBytes(echo_to(kRouter)));
  EXPECT_EQ(receiver(to_router), kRouterAddress);
}

// ---- which rule ---------------------------------------------------------------------------------

TEST(NdpRule, NoneHoldsTheTarget) {
  NdpRig rig{config_with(NdpAnswer::always)};
  EXPECT_THAT(rig.receive(routers_solicitation("2001:db8:0:2::2")), IsEmpty());
  rig.expect_ignored(NdpIgnored::no_rule);
}

TEST(NdpRule, LongestPrefixDecidesNotTheFirst) {
  NdpRig rig{
      config_with({{.prefix = prefix6("2001:db8::/32"), .answer = NdpAnswer::always},
                   {.prefix = prefix6("2001:db8:0:1::/64"), .answer = NdpAnswer::automatic},
                   {.prefix = prefix6("2001:db8:0:1:1::/80"), .answer = NdpAnswer::always}})};
  EXPECT_EQ(rig.receive(routers_solicitation("2001:db8:0:2::2")).size(), 1u);
  EXPECT_EQ(rig.receive(routers_solicitation("2001:db8:0:1:1::2")).size(), 1u);
  EXPECT_THAT(rig.receive(routers_solicitation()), IsEmpty());
  rig.expect_ignored(NdpIgnored::no_tunnel);
}

TEST(NdpRule, ExceptionsOfARuleGiveWayToALongerRule) {
  NdpRig rig{
      config_with({{.prefix = prefix6("2001:db8::/32"),
                    .answer = NdpAnswer::always,
                    .except = {prefix6("2001:db8:0:1::/64")}},
                   {.prefix = prefix6("2001:db8:0:1:1::/80"), .answer = NdpAnswer::always}})};
  EXPECT_EQ(rig.receive(routers_solicitation("2001:db8:0:1:1::2")).size(), 1u);
  EXPECT_THAT(rig.receive(routers_solicitation()), IsEmpty());
  rig.expect_ignored(NdpIgnored::excepted);
}

TEST(NdpRule, ExceptionsOfAllRulesDoNot) {
  NdpConfig config =
      config_with({{.prefix = prefix6("2001:db8:0:1::2/128"), .answer = NdpAnswer::always}});
  config.except = {prefix6("2001:db8:0:1::/64")};
  NdpRig rig{config};
  EXPECT_THAT(rig.receive(routers_solicitation()), IsEmpty());
  rig.expect_ignored(NdpIgnored::excepted);
}

TEST(NdpRuleAuto, AnswersWhereTheLongestPrefixIsATunnelThatIsUp) {
  NdpRig rig{config_with(NdpAnswer::automatic),
             {{prefix6("2001:db8::/32"), true}, {prefix6("2001:db8:0:1:2::/80"), false}}};
  EXPECT_EQ(rig.receive(routers_solicitation()).size(), 1u);
  EXPECT_THAT(rig.receive(routers_solicitation("2001:db8:0:1:2::1")), IsEmpty());
  rig.expect_ignored(NdpIgnored::tunnel_down);
}

TEST(NdpRuleAuto, FollowsTunnelsThatComeAndGo) {
  NdpRig rig{config_with(NdpAnswer::automatic)};
  EXPECT_THAT(rig.receive(routers_solicitation()), IsEmpty());
  rig.set_prefixes({{prefix6("2001:db8:0:1::2/128"), true}});
  EXPECT_EQ(rig.receive(routers_solicitation()).size(), 1u);
  rig.set_prefixes({{prefix6("2001:db8:0:1::2/128"), false},
                    {prefix6("2001:db8:0:1::2/128"), true},
                    {prefix6("2001:db8:0:1::2/128"), false}});
  EXPECT_EQ(rig.receive(routers_solicitation()).size(), 1u) << "one of several tunnels is up";
  rig.set_prefixes({});
  EXPECT_THAT(rig.receive(routers_solicitation()), IsEmpty());
  rig.expect_ignored(NdpIgnored::no_tunnel, 2);
}

// ---- never answered -----------------------------------------------------------------------------

TEST(NdpNever, OwnAddresses) {
  NdpRig rig{config_with(NdpAnswer::always)};
  EXPECT_THAT(rig.receive(routers_solicitation("2001:db8:0:1::1")), IsEmpty());
  rig.expect_ignored(NdpIgnored::own_address);
}

TEST(NdpNever, WithoutALinkLocalAddress) {
  NdpRig rig{config_with(NdpAnswer::always)};
  NdpInterface bare;
  bare.index = kIndex;
  rig.responder().set_interface(bare);
  EXPECT_THAT(rig.receive(routers_solicitation()), IsEmpty());
  rig.expect_ignored(NdpIgnored::interface_unready);
}

TEST(NdpNever, WhoAsksForItsOwnAddress) {
  NdpRig rig{config_with(NdpAnswer::always)};
  EXPECT_THAT(rig.receive(solicitation(kTarget, kTarget, kHostMac)), IsEmpty());
  rig.expect_ignored(NdpIgnored::source_is_target);
}

TEST(NdpNever, GroupsAsAskers) {
  NdpRig rig{config_with(NdpAnswer::always)};
  EXPECT_THAT(rig.receive(solicitation("ff02::1", kTarget, kHostMac)), IsEmpty());
  rig.expect_ignored(NdpIgnored::source_multicast);
}

TEST(NdpNever, SubnetRouterAnycastAddresses) {
  // RFC 4291 2.6.1: the kernel of a router answers for it.
  NdpRig rig{config_with(NdpAnswer::always)};
  rig.set_on_link_prefixes({prefix6("2001:db8:0:1::/64")});
  EXPECT_THAT(rig.receive(routers_solicitation("2001:db8:0:1::")), IsEmpty());
  rig.expect_ignored(NdpIgnored::own_address);
}

TEST(NdpNever, WhatNoRouterForwardsTo) {
  NdpRig rig{config_with({{.prefix = prefix6("::/0"), .answer = NdpAnswer::always}})};
  for (const auto* target : {"fe80::dead", "::1", "::", "::ffff:192.0.2.1", "::192.0.2.1"})
    EXPECT_THAT(rig.receive(routers_solicitation(target)), IsEmpty()) << target;
  EXPECT_THAT(rig.receive(detection("fe80::beef")), IsEmpty());
  rig.expect_ignored(NdpIgnored::target_not_forwarded, 6);
}

TEST(NdpNever, RoutersByWhichThisHostSends) {
  NdpRig rig{config_with(NdpAnswer::always)};
  std::vector gateways{address6("2001:db8:0:1::2")};
  rig.responder().set_gateways(gateways);
  EXPECT_THAT(rig.receive(routers_solicitation()), IsEmpty());
  EXPECT_THAT(rig.receive(detection()), IsEmpty());
  rig.expect_ignored(NdpIgnored::gateway, 2);
}

TEST(NdpNever, SolicitationsFromLoopbackAndGroups) {
  NdpRig rig{config_with(NdpAnswer::always)};
  EXPECT_THAT(rig.receive(solicitation("::1", kTarget, kHostMac)), IsEmpty());
  rig.expect_ignored(NdpIgnored::source_loopback);
  EXPECT_THAT(rig.receive(solicitation(kRouter, kTarget, "33 33 00 00 00 01")), IsEmpty());
  EXPECT_THAT(rig.receive(solicitation(kRouter, kTarget, "ff ff ff ff ff ff")), IsEmpty());
  const auto totals = rig.responder().counters().totals();
  EXPECT_EQ(totals.ignored[std::size_t(NdpIgnored::ethernet_source_group)], 2u);
}

// ---- neighbors on the link ----------------------------------------------------------------------

/// What the proxy asks a host of which it has heard: the group of the target, in a frame to the host.
Bytes question_to_host(std::string_view target = kTarget) {
  return solicitation(kUs, target, kOurMac, {.option = kOurMac, .ethernet_destination = kHostMac});
}
/// A host's advertisement of itself.
Bytes host_advertisement(std::uint8_t flags, std::string_view destination = kUs) {
  return advertisement(kTarget, destination, kTarget, flags, kOurMac, kHostMac);
}
constexpr std::uint8_t kOwner = kSolicitedFlag | kOverrideFlag;

TEST(NdpOnLink, IsAskedAndLeftAloneIfItAnswers) {
  NdpRig rig{config_with(NdpAnswer::always)};
  rig.receive(host_advertisement(kOverrideFlag, "ff02::1"));
  EXPECT_EQ(rig.responder().on_link(rig.now), 1u);
  EXPECT_THAT(rig.receive(routers_solicitation()), ElementsAre(SameBytes(question_to_host())));
  rig.expect_balance();
  EXPECT_THAT(rig.receive(host_advertisement(kOwner)), IsEmpty());
  rig.expect_ignored(NdpIgnored::on_link);
  EXPECT_THAT(rig.receive(routers_solicitation()), IsEmpty());  // without a question
  rig.expect_ignored(NdpIgnored::on_link, 2);
  const NdpNeighbor host{address6(kTarget), {{2, 0, 0, 0, 0, 5}}};
  EXPECT_THAT(rig.responder().confirmed(rig.now), ElementsAre(host));
  EXPECT_EQ(rig.responder().counters().totals().questions, 1u);
}

TEST(NdpOnLink, IsAskedThreeTimesAndThenForgotten) {
  NdpRig rig{config_with(NdpAnswer::always)};
  rig.receive(host_advertisement(kOverrideFlag, "ff02::1"));
  EXPECT_THAT(rig.receive(routers_solicitation()), ElementsAre(SameBytes(question_to_host())));
  for (int again = 0; again < 2; ++again) {
    rig.now += NdpResponder::kConfirmation.timeout;
    EXPECT_THAT(rig.expire(), ElementsAre(SameBytes(question_to_host())));
  }
  rig.now += NdpResponder::kConfirmation.timeout;
  EXPECT_THAT(rig.expire(), ElementsAre(SameBytes(answer_to_router())));
  EXPECT_THAT(rig.receive(routers_solicitation()), ElementsAre(SameBytes(answer_to_router())));
  EXPECT_THAT(rig.responder().confirmed(rig.now), IsEmpty());
  rig.expect_balance();
  // A new message of the host is new evidence.
  rig.receive(host_advertisement(kOverrideFlag, "ff02::1"));
  EXPECT_THAT(rig.receive(routers_solicitation()), ElementsAre(SameBytes(question_to_host())));
}

TEST(NdpOnLink, IsAskedAgainAfterAWhile) {
  NdpRig rig{config_with(NdpAnswer::always)};
  rig.receive(host_advertisement(kOverrideFlag, "ff02::1"));
  rig.receive(routers_solicitation());
  rig.receive(host_advertisement(kOwner));
  rig.now += NdpResponder::kConfirmation.alive_ttl / 2;
  EXPECT_THAT(rig.receive(routers_solicitation()), ElementsAre(SameBytes(question_to_host())));
  rig.expect_ignored(NdpIgnored::on_link, 2);  // it still counts as there
  for (int tries = 0; tries < 3; ++tries) {
    rig.now += NdpResponder::kConfirmation.timeout;
    rig.expire();
  }
  EXPECT_THAT(rig.receive(routers_solicitation()), ElementsAre(SameBytes(answer_to_router())));
}

TEST(NdpOnLink, IsNotAnotherProxy) {
  // A proxy never sets O (RFC 4861 7.2.8), neither unasked nor asked.
  NdpRig rig{config_with(NdpAnswer::always)};
  rig.receive(host_advertisement(0, "ff02::1"));
  rig.receive(host_advertisement(kSolicitedFlag));
  EXPECT_EQ(rig.responder().on_link(rig.now), 0u);
  EXPECT_EQ(rig.receive(routers_solicitation()).size(), 1u);
  rig.expect_ignored(NdpIgnored::none, 0);
}

TEST(NdpOnLink, IsWhoAsksByAnAddress) {
  NdpRig rig{config_with(NdpAnswer::always)};
  EXPECT_EQ(rig.receive(solicitation("2001:db8:0:1::5", kTarget, kHostMac)).size(), 1u);
  EXPECT_THAT(rig.receive(routers_solicitation("2001:db8:0:1::5")),
              ElementsAre(SameBytes(question_to_host("2001:db8:0:1::5"))));
}

TEST(NdpOnLink, IsWhomTheKernelKnows) {
  NdpRig rig{config_with(NdpAnswer::always)};
  std::vector<NdpNeighbor> told{{address6(kTarget), {{2, 0, 0, 0, 0, 5}}}};
  rig.responder().set_on_link(told);
  rig.now += 24h;
  EXPECT_THAT(rig.receive(routers_solicitation()), ElementsAre(SameBytes(question_to_host())));
  told.clear();
  rig.responder().set_on_link(told);
  EXPECT_EQ(rig.receive(routers_solicitation("2001:db8:0:1::7")).size(), 1u);
}

TEST(NdpOnLink, IsForgottenAfterItsTime) {
  NdpConfig config = config_with(NdpAnswer::always);
  NdpRig rig{config};
  rig.receive(host_advertisement(kOverrideFlag, "ff02::1"));
  rig.now += config.on_link_ttl;
  EXPECT_EQ(rig.responder().on_link(rig.now), 0u);
  EXPECT_THAT(rig.receive(routers_solicitation()), ElementsAre(SameBytes(answer_to_router())));
}

TEST(NdpOnLink, IsNotConfirmedByAnUnsolicitedAdvertisement) {
  NdpRig rig{config_with(NdpAnswer::always)};
  rig.receive(host_advertisement(kOverrideFlag, "ff02::1"));
  rig.receive(routers_solicitation());
  rig.receive(host_advertisement(kOverrideFlag, "ff02::1"));
  EXPECT_THAT(rig.responder().confirmed(rig.now), IsEmpty());
}

TEST(NdpNever, ItsOwnEchoMakesNoNeighbor) {
  // A switch or access point may send our multicast frames back.
  NdpRig rig{config_with(NdpAnswer::always)};
  EXPECT_THAT(
      rig.receive(advertisement(kUs, "ff02::1", kTarget, kOverrideFlag, kAllNodesMac, kOurMac)),
      IsEmpty());
  EXPECT_THAT(rig.receive(routers_solicitation()), ElementsAre(SameBytes(answer_to_router())));
}

TEST(NdpNever, NeighborsElsewhereTakeNoPlace) {
  NdpRig rig{config_with(NdpAnswer::always)};
  rig.receive(advertisement("2001:db8::9", "ff02::1", "2001:db8::9", kOverrideFlag, kAllNodesMac,
                            kHostMac));
  EXPECT_EQ(rig.responder().on_link(rig.now), 0u);
}

TEST(NdpDuplicateDetection, LeavesWhatNoTunnelHas) {
  // RFC 4862 5.4: a host on the link starts to use a free address. If a tunnel gets its prefix
  // later, the host is asked whether it still has it.
  NdpRig rig{config_with(NdpAnswer::automatic)};
  EXPECT_THAT(rig.receive(detection()), IsEmpty());
  rig.expect_ignored(NdpIgnored::no_tunnel);
  rig.set_prefixes({{prefix6("2001:db8:0:1::2/128"), true}});
  EXPECT_THAT(rig.receive(routers_solicitation()), ElementsAre(SameBytes(question_to_host())));
  rig.receive(host_advertisement(kOwner));
  EXPECT_EQ(rig.responder().counters().totals().ignored[std::size_t(NdpIgnored::on_link)], 1u);
}

TEST(NdpDuplicateDetection, IsLeftToTheHostsOfALinkWithALongerPrefix) {
  NdpRig rig{config_with({{.prefix = prefix6("2001:db8::/48"), .answer = NdpAnswer::always}})};
  rig.set_on_link_prefixes({prefix6("2001:db8:0:1::/64")});
  EXPECT_THAT(rig.receive(detection()), IsEmpty());
  rig.expect_ignored(NdpIgnored::on_link_prefix);
  EXPECT_EQ(rig.receive(detection("2001:db8:0:2::2")).size(), 1u) << "not of this link";
  EXPECT_EQ(rig.receive(routers_solicitation()).size(), 1u) << "not duplicate address detection";
}

TEST(NdpDuplicateDetection, DefendsWhatATunnelHas) {
  NdpRig rig{config_with(NdpAnswer::automatic), {{prefix6("2001:db8:0:1::2/128"), true}}};
  EXPECT_THAT(rig.receive(detection()), ElementsAre(SameBytes(duplicate_answer())));
  EXPECT_THAT(rig.receive(routers_solicitation()), ElementsAre(SameBytes(answer_to_router())));
}

// ---- malformed messages -------------------------------------------------------------------------

struct Broken {
  const char* name;
  NdpIgnored reason;
  Bytes packet;
};
std::vector<Broken> broken_packets() {
  const auto group = solicited_node(kTarget);
  const auto message = neighbor_message(135, 0, kTarget, kRouterMac);
  const Ipv6Extra near{.hop_limit = 255};
  const auto target = address6(kTarget).bytes;
  Bytes with_option(target.begin(), target.end());
  with_option.resize(24);
  return {
      {"Truncated", NdpIgnored::truncated, ipv6(kRouter, group, near) / icmpv6(135, 0)},
      {"Version", NdpIgnored::header_malformed,
       ipv6(kRouter, group, {.hop_limit = 255, .version = std::uint8_t{4}}) / message},
      {"Fragment", NdpIgnored::fragmented,
       ipv6(kRouter, group, near) / fragment(0, false) / message},
      {"OtherType", NdpIgnored::not_neighbor_discovery,
       ipv6(kRouter, group, near) / neighbor_message(134, 0, kTarget, {})},
      {"HopLimit", NdpIgnored::hop_limit_not_255,
       ipv6(kRouter, group, {.hop_limit = 254}) / message},
      {"Code", NdpIgnored::code_not_zero,
       ipv6(kRouter, group, near) / icmpv6(135, 1) / payload(with_option)},
      {"MulticastTarget", NdpIgnored::target_multicast,
       ipv6(kRouter, group, near) / neighbor_message(135, 0, "ff02::1", {})},
      {"Option", NdpIgnored::option_malformed,
       ipv6(kRouter, group, near) / icmpv6(135, 0) / payload(with_option)},
      {"Destination", NdpIgnored::destination_not_solicited_node,
       ipv6("::", "ff02::1", near) / neighbor_message(135, 0, kTarget, {})},
      {"UnspecifiedWithAddress", NdpIgnored::unspecified_source_with_address,
       ipv6("::", group, near) / message},
      {"SolicitedToGroup", NdpIgnored::solicited_flag_on_multicast,
       ipv6(kTarget, "ff02::1", near) / neighbor_message(136, kSolicitedFlag, kTarget, {})},
      {"Checksum", NdpIgnored::checksum_bad,
       ipv6(kRouter, group, near) / icmpv6(135, 0, 0, 0x1234) /
           payload(with_option = Bytes(target.begin(), target.end()))},
  };
}

class NdpBroken : public testing::TestWithParam<Broken> {};
TEST_P(NdpBroken, IsIgnoredAndCounted) {
  NdpRig rig{config_with(NdpAnswer::always)};
  EXPECT_THAT(rig.receive(ethernet_frame(kOurMac, kRouterMac, GetParam().packet)), IsEmpty());
  rig.expect_ignored(GetParam().reason);
}
INSTANTIATE_TEST_SUITE_P(All, NdpBroken, testing::ValuesIn(broken_packets()),
                         [](const auto& each) { return std::string{each.param.name}; });

TEST(NdpBrokenFrame, EndsInItsEthernetHeader) {
  NdpRig rig{config_with(NdpAnswer::always)};
  EXPECT_THAT(rig.receive(Bytes(13)), IsEmpty());
  rig.expect_ignored(NdpIgnored::truncated);
}

// ---- limits -------------------------------------------------------------------------------------

TEST(NdpLimit, OfAllAnswers) {
  NdpConfig config = config_with(NdpAnswer::always);
  config.answers_per_second = 10;
  config.answers_per_second_per_source = 0;
  NdpRig rig{config};
  std::size_t answered = 0;
  for (int i = 0; i < 30; ++i) answered += rig.receive(routers_solicitation()).size();
  EXPECT_EQ(answered, 10u) << "a second's worth at once";
  rig.expect_ignored(NdpIgnored::rate_limited, 20);
  for (int i = 0; i < 100; ++i) {
    rig.now += 10ms;
    answered += rig.receive(routers_solicitation()).size();
  }
  EXPECT_EQ(answered, 20u);
}

TEST(NdpLimit, OfOneSourceLeavesOthersTheirs) {
  NdpConfig config = config_with(NdpAnswer::always);
  config.answers_per_second = 20;
  config.answers_per_second_per_source = 5;
  NdpRig rig{config};
  std::size_t answered = 0;
  for (int i = 0; i < 30; ++i) answered += rig.receive(routers_solicitation()).size();
  EXPECT_EQ(answered, 5u);
  rig.expect_ignored(NdpIgnored::source_rate_limited, 25);
  EXPECT_EQ(rig.receive(solicitation("fe80::fe", kTarget, kHostMac)).size(), 1u);
}

}  // namespace
}  // namespace culvert
