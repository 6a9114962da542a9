// ManagedNdp and NdpSet follow real interfaces. The proxies are fakes.
#include "tools/culvert/daemon/managed_ndp.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tests/io/rig.h"
#include "tests/support/in_namespace.h"
#include "tests/tools/culvert/daemon/fake_ndp.h"
#include "tools/culvert/config/config_diff.h"
#include "tools/culvert/daemon/ndp_set.h"
#include "tools/culvert/show/report.h"

namespace culvert::program {
namespace {

using test::in_namespace;

using namespace std::chrono_literals;
using io::ip;
using testing::HasSubstr;

proto::Ipv6Address address(std::string_view text) { return *proto::Ipv6Address::from_text(text); }
proto::Ipv6Prefix prefix(std::string_view text) { return *proto::Ipv6Prefix::from_text(text); }

NdpConfig section(std::string interface) {
  NdpConfig config;
  config.interface = std::move(interface);
  config.rules = {{prefix("2001:db8:0:1::/64"), NdpAnswer::automatic, {}}};
  return config;
}

/// Proxies on interfaces of a network namespace.
struct ManagedNdpRig {
  void start(const std::vector<NdpConfig>& sections) {
    const auto started = set.start(sections);
    ASSERT_TRUE(started) << started.error().message();
  }
  /// Runs handlers until the condition is true, or until a time limit.
  template <class Condition>
  [[nodiscard]] bool until(Condition condition) {
    for (int i = 0; i < 1000 && !condition(); ++i) context.run_for(10ms);
    return condition();
  }
  [[nodiscard]] bool has_printed(std::string_view text) const {
    return printed.find(text) != std::string::npos;
  }
  [[nodiscard]] const NdpInterface& last() const { return log.interfaces.back(); }

  FakeNdpLog log;
  std::string printed;
  boost::asio::io_context context;
  NdpSet set{context, [this](NdpConfig config) { return open_fake(std::move(config), log); },
             [this](std::string_view line) { printed += line; }};
};

/// Without duplicate address detection, so that addresses are usable at once.
void add_veth(const std::string& name) {
  ip("link add " + name + " type veth peer name " + name + "p");
  io::run("echo 0 > /proc/sys/net/ipv6/conf/" + name + "/accept_dad");
  ip("link set " + name + " address 02:00:00:00:00:01 up");
  ip("link set " + name + "p up");
}

bool has_own(const NdpInterface& interface, std::string_view text) {
  return std::count(interface.own.begin(), interface.own.end(), address(text)) == 1;
}

TEST(ManagedNdp, StartsOnAnInterfaceThatIsThere) {
  in_namespace([] {
    add_veth("eth7");
    ip("addr add 2001:db8:0:1::1/64 dev eth7 nodad");
    ManagedNdpRig rig;
    rig.start({section("eth7")});
    ASSERT_TRUE(rig.until([&] { return rig.has_printed("answers"); })) << rig.printed;
    EXPECT_EQ(rig.last().index, ::if_nametoindex("eth7"));
    EXPECT_EQ(rig.last().address.bytes, (std::array<std::uint8_t, 6>{2, 0, 0, 0, 0, 1}));
    EXPECT_EQ(rig.last().link_local, address("fe80::ff:fe00:1"));
    EXPECT_EQ(rig.last().mtu_bytes, 1500);
    EXPECT_TRUE(has_own(rig.last(), "2001:db8:0:1::1"));
    EXPECT_TRUE(has_own(rig.last(), "fe80::ff:fe00:1"));
    EXPECT_THAT(
        rig.printed,
        HasSubstr("culvert: ndp eth7 answers for 2001:db8:0:1::/64 (auto); all-multicast, since "
                  "a prefix is too large\n"));
  });
}

TEST(ManagedNdp, WaitsForAnInterfaceAndFollowsItsLife) {
  in_namespace([] {
    ManagedNdpRig rig;
    rig.start({section("eth7")});
    EXPECT_EQ(rig.printed, "culvert: ndp eth7 waits: there is no such interface\n");
    EXPECT_EQ(rig.set.reports().at(0).waits_because, "there is no such interface");
    add_veth("eth7");
    ASSERT_TRUE(rig.until([&] { return rig.has_printed("answers"); })) << rig.printed;
    const unsigned before = rig.last().index;
    rig.printed.clear();
    ip("link set eth7 down");
    ASSERT_TRUE(rig.until([&] { return rig.has_printed("waits: it is down"); })) << rig.printed;
    ip("link set eth7 up");
    ASSERT_TRUE(rig.until([&] { return rig.has_printed("answers"); })) << rig.printed;
    rig.printed.clear();
    ip("link del eth7");
    ASSERT_TRUE(rig.until([&] { return rig.has_printed("waits: there is no such interface"); }));
    EXPECT_GE(rig.log.lost, 2);
    rig.printed.clear();
    add_veth("eth7");
    ASSERT_TRUE(rig.until([&] { return rig.has_printed("answers"); })) << rig.printed;
    EXPECT_NE(rig.last().index, before);
    EXPECT_EQ(rig.log.opened, 1);  // one proxy all the time: its counters stay
  });
}

TEST(ManagedNdp, FollowsMacAndAddresses) {
  in_namespace([] {
    add_veth("eth7");
    ManagedNdpRig rig;
    rig.start({section("eth7")});
    ASSERT_TRUE(rig.until([&] { return rig.has_printed("answers"); })) << rig.printed;
    ip("link set eth7 address 02:00:00:00:00:99");
    EXPECT_TRUE(rig.until([&] { return rig.last().address.bytes[5] == 0x99; }));
    ip("addr add 2001:db8:0:1::5/64 dev eth7 nodad");
    EXPECT_TRUE(rig.until([&] { return has_own(rig.last(), "2001:db8:0:1::5"); }));
    ip("addr del 2001:db8:0:1::5/64 dev eth7");
    EXPECT_TRUE(rig.until([&] { return !has_own(rig.last(), "2001:db8:0:1::5"); }));
    ip("-6 addr flush dev eth7 scope link");
    EXPECT_TRUE(
        rig.until([&] { return rig.has_printed("waits: it has no usable link-local address"); }));
    EXPECT_TRUE(rig.last().link_local.is_unspecified());
    ip("addr add fe80::7/64 dev eth7 nodad");
    EXPECT_TRUE(rig.until([&] { return rig.last().link_local == address("fe80::7"); }));
    EXPECT_EQ(rig.set.reports().at(0).waits_because, "");
  });
}

TEST(ManagedNdp, AnswersFromAnotherAddressIfThereIsNoLinkLocalOne) {
  in_namespace([] {
    add_veth("eth7");
    ip("-6 addr flush dev eth7 scope link");
    ip("addr add 2001:db8:0:1::5/64 dev eth7 nodad");
    ManagedNdpRig rig;
    rig.start({section("eth7")});
    ASSERT_TRUE(rig.until([&] { return rig.has_printed("answers"); })) << rig.printed;
    EXPECT_EQ(rig.last().link_local, address("2001:db8:0:1::5"));
    ip("addr add fe80::7/64 dev eth7 nodad");
    EXPECT_TRUE(rig.until([&] { return rig.last().link_local == address("fe80::7"); }));
  });
}

TEST(ManagedNdp, WaitsForAGlobalAddressIfThatIsTheSource) {
  in_namespace([] {
    add_veth("eth7");
    ManagedNdpRig rig;
    rig.start({section("eth7")});
    ASSERT_TRUE(rig.until([&] { return rig.has_printed("answers"); })) << rig.printed;
    EXPECT_TRUE(rig.last().global.is_unspecified());
    NdpConfig global = section("eth7");
    global.source = NdpSource::global;
    rig.printed.clear();
    ASSERT_TRUE(rig.set.apply({global}));
    EXPECT_EQ(rig.printed,
              "culvert: ndp eth7 waits: it has no global address that is preferred, for source = "
              "\"global\": add one, or write source = \"target\"\n");
    ip("addr add 2001:db8:0:1::5/64 dev eth7 nodad");
    EXPECT_TRUE(rig.until([&] { return rig.has_printed("answers"); })) << rig.printed;
    EXPECT_EQ(rig.last().global, address("2001:db8:0:1::5"));
    ip("addr change 2001:db8:0:1::5/64 dev eth7 preferred_lft 0");
    EXPECT_TRUE(rig.until([&] { return rig.last().global.is_unspecified(); }));
  });
}

TEST(ManagedNdp, NamesTheBridgeOfAPort) {
  in_namespace([] {
    add_veth("eth7");
    ip("link add br7 type bridge");
    ip("link set dev eth7 master br7");
    ManagedNdpRig rig;
    rig.start({section("eth7")});
    EXPECT_EQ(rig.set.reports().at(0).waits_because,
              "it is a port of br7, which receives its solicitations: write [ndp.br7]");
    ip("link set dev eth7 nomaster");
    EXPECT_TRUE(rig.until([&] { return rig.has_printed("answers"); })) << rig.printed;
    ip("link set dev eth7 master br7");
    EXPECT_TRUE(rig.until([&] { return !rig.set.reports().at(0).waits_because.empty(); }));
  });
}

TEST(ManagedNdp, KnowsTheKernelsNeighbors) {
  in_namespace([] {
    add_veth("eth7");
    ip("-6 neigh add fe80::aa lladdr 02:00:00:00:00:aa dev eth7 nud stale");
    ip("-6 neigh add fe80::bb dev eth7 nud failed");
    ip("-6 neigh add proxy 2001:db8:0:1::9 dev eth7");
    ip("-6 neigh add fe80::cc lladdr 02:00:00:00:00:cc dev eth7p nud permanent");  // another link
    ManagedNdpRig rig;
    rig.start({section("eth7")});
    const NdpNeighbor known{address("fe80::aa"), {{2, 0, 0, 0, 0, 0xaa}}};
    EXPECT_THAT(rig.log.on_link, testing::ElementsAre(known));
    ip("-6 neigh add fe80::ab lladdr 02:00:00:00:00:ab dev eth7 nud permanent");
    EXPECT_TRUE(rig.until([&] { return rig.log.on_link.size() == 2; }));
  });
}

TEST(ManagedNdp, KnowsTheKernelsRoutes) {
  in_namespace([] {
    add_veth("eth7");
    add_veth("lan0");
    ip("addr add 2001:db8:0:1::9/64 dev eth7 nodad");
    NdpConfig config = section("eth7");
    config.rules = {{.prefix = prefix("2001:db8:5::/48"), .answer = NdpAnswer::automatic}};
    ManagedNdpRig rig;
    rig.start({config});
    ASSERT_TRUE(rig.until([&] { return rig.has_printed("answers"); })) << rig.printed;
    const auto found = [&](std::vector<proto::Ipv6Prefix> prefixes,
                           std::vector<proto::Ipv6Address> gateways) {
      return rig.until([&] {
        return rig.log.kernel_routes == NdpKernelRoutes{prefixes, gateways};
      });
    };
    ip("-6 route add default via 2001:db8:0:1::1 dev eth7");
    EXPECT_TRUE(found({}, {address("2001:db8:0:1::1")}));
    ip("-6 route add 2001:db8:5:1::/64 dev lan0");
    ip("-6 route add 2001:db8:5:2::/64 dev eth7");  // back to the link
    ip("-6 route add 2001:db8:77::/64 dev lan0");   // in no rule
    ip("-6 route add 2001:db8:5:3::/64 dev lan0 table 9");
    ip("-6 route add unreachable 2001:db8:5:4::/64");
    EXPECT_TRUE(found({prefix("2001:db8:5:1::/64"), prefix("2001:db8:5:3::/64")},
                      {address("2001:db8:0:1::1")}));
    ip("-6 route add 2001:db8:5::/56 nexthop via fe80::1 dev eth7 nexthop via fe80::2 dev lan0");
    EXPECT_TRUE(
        found({prefix("2001:db8:5::/56"), prefix("2001:db8:5:1::/64"), prefix("2001:db8:5:3::/64")},
              {address("2001:db8:0:1::1"), address("fe80::1")}));
    ip("-6 route del 2001:db8:5::/56");
    ip("-6 route flush dev lan0");
    ip("-6 route flush dev lan0 table 9");
    EXPECT_TRUE(rig.until([&] { return rig.log.kernel_routes.prefixes.empty(); }));
  });
}

TEST(ManagedNdp, FindsTheInterfacesThatItsRulesName) {
  in_namespace([] {
    add_veth("eth7");
    NdpConfig config = section("eth7");
    config.rules[0].answer = NdpAnswer::probe;
    config.rules[0].interfaces = {"br-lan"};
    std::string logged;
    config.log = [&](LogLevel, std::string_view text) { logged += text; };
    ManagedNdpRig rig;
    rig.start({config});
    EXPECT_EQ(rig.log.rule_interfaces, (NdpInterfaces{{"br-lan", 0}}));
    EXPECT_THAT(logged,
                HasSubstr("ndp eth7: there is no interface br-lan yet, on which a rule probes"));
    ASSERT_TRUE(rig.until([&] { return rig.has_printed("(probe on br-lan)"); })) << rig.printed;
    add_veth("br-lan");
    EXPECT_TRUE(rig.until([&] {
      return rig.log.rule_interfaces == NdpInterfaces{{"br-lan", ::if_nametoindex("br-lan")}};
    }));
    ip("link del br-lan");
    EXPECT_TRUE(rig.until([&] { return rig.log.rule_interfaces.at("br-lan") == 0; }));
    config.rules[0].interfaces = {"eth7p"};
    ASSERT_TRUE(rig.set.apply({config}));
    EXPECT_EQ(rig.log.rule_interfaces, (NdpInterfaces{{"eth7p", ::if_nametoindex("eth7p")}}));
  });
}

TEST(ManagedNdp, DoesNotAnswerOnWhatIsNoEthernet) {
  in_namespace([] {
    ManagedNdpRig rig;
    rig.start({section("lo")});
    EXPECT_THAT(rig.printed, HasSubstr("waits: it is not an Ethernet interface"));
    EXPECT_TRUE(rig.log.interfaces.empty());
  });
}

TEST(ManagedNdp, SaysWhatTheKernelRefusesAndTriesAgain) {
  in_namespace([] {
    add_veth("eth7");
    ManagedNdpRig rig;
    rig.log.refuses_interface = true;
    rig.start({section("eth7")});
    ASSERT_TRUE(rig.until([&] { return rig.has_printed("waits: join a group: EPERM"); }))
        << rig.printed;
    rig.log.refuses_interface = false;
    ip("link set eth7 mtu 1400");
    ASSERT_TRUE(rig.until([&] { return rig.has_printed("answers"); })) << rig.printed;
    EXPECT_EQ(rig.last().mtu_bytes, 1400);
  });
}

TEST(ManagedNdp, SetsAnInterfaceAgainThatIsAnotherWithItsIndex) {
  in_namespace([] {
    add_veth("eth7");
    ManagedNdpRig rig;
    rig.start({section("eth7")});
    ASSERT_TRUE(rig.until([&] { return rig.has_printed("answers"); })) << rig.printed;
    const std::size_t before = rig.log.interfaces.size();
    const NdpInterface same = rig.last();
    rig.log.is_bound = false;
    ip("link set eth7 alias other");  // an event that changes nothing for the proxy
    EXPECT_TRUE(rig.until([&] { return rig.log.interfaces.size() > before; }));
    EXPECT_EQ(rig.last(), same);
  });
}

TEST(NdpSet, ChangesWhatAFileSaysAnew) {
  in_namespace([] {
    ManagedNdpRig rig;
    rig.start({section("eth7"), section("eth8")});
    EXPECT_EQ(rig.log.alive, 2);
    NdpConfig changed = section("eth7");
    changed.router = false;
    ASSERT_TRUE(rig.set.apply({changed, section("eth9")}));
    EXPECT_EQ(rig.log.applied, 1);
    EXPECT_EQ(rig.log.alive, 2);
    EXPECT_THAT(rig.printed, HasSubstr("culvert: ndp eth8 has stopped\n"));
    ASSERT_EQ(rig.set.reports().size(), 2u);
    EXPECT_FALSE(rig.set.reports()[0].status.config.router);
    EXPECT_EQ(rig.set.reports()[1].status.config.interface, "eth9");
    changed.on_link = 64;  // a table size cannot change in place, so there is a new proxy
    ASSERT_TRUE(rig.set.apply({changed}));
    EXPECT_EQ(rig.log.opened, 4);
    EXPECT_EQ(rig.log.alive, 1);
    EXPECT_EQ(rig.set.reports().at(0).status.config.on_link, 64u);
  });
}

TunnelStatus tunnel(std::vector<proto::Ipv6Prefix> prefixes, bool up) {
  TunnelStatus status{};
  status.config.prefixes6 = std::move(prefixes);
  status.config.up = up;
  return status;
}

TEST(NdpSet, TellsEveryProxyOfTheTunnels) {
  in_namespace([] {
    EngineStatus device{};
    device.running = true;
    device.tunnels = {tunnel({prefix("2001:db8::/48"), prefix("2001:db8:9::1/128")}, true),
                      tunnel({prefix("2001:db8:1::/48")}, false)};
    device.device_index = 9;
    const std::vector<NdpTunnelPrefix> expected{{prefix("2001:db8::/48"), true, 9},
                                                {prefix("2001:db8:9::1/128"), true, 9},
                                                {prefix("2001:db8:1::/48"), false, 9}};
    ManagedNdpRig rig;
    rig.set.tunnels_changed({&device, 1});  // before there is anybody
    rig.start({section("eth7")});
    EXPECT_EQ(rig.log.prefixes, expected);
    device.running = false;
    rig.set.tunnels_changed({&device, 1});
    EXPECT_FALSE(rig.log.prefixes.at(0).is_up);
  });
}

TEST(NdpSet, TakesATunnelWithoutPrefixesForAll) {
  EngineStatus device{};
  device.running = true;
  device.tunnels = {tunnel({}, true)};
  EXPECT_EQ(tunnel_prefixes({&device, 1}), (std::vector<NdpTunnelPrefix>{{prefix("::/0"), true}}));
  device.tunnels[0].config.prefixes4 = {*proto::Ipv4Prefix::from_text("10.0.0.0/8")};
  EXPECT_TRUE(tunnel_prefixes({&device, 1}).empty());  // IPv4 alone is behind it
}

TEST(NdpSet, TellsOnceOfAnAutoRuleWithoutAnyTunnel) {
  in_namespace([] {
    EngineStatus device{};
    device.running = true;
    device.tunnels = {tunnel({prefix("2001:db8:0:2::/64")}, true)};
    std::vector<std::string> lines;
    NdpConfig config = section("eth7");
    config.rules.push_back({prefix("2001:db8:0:2:8000::/65"), NdpAnswer::automatic, {}});
    config.rules.push_back({prefix("2001:db8:0:3::/64"), NdpAnswer::always, {}});
    config.log = [&](LogLevel, std::string_view line) { lines.emplace_back(line); };
    ManagedNdpRig rig;
    rig.set.tunnels_changed({&device, 1});
    rig.start({config});
    rig.set.tunnels_changed({&device, 1});
    EXPECT_EQ(lines, std::vector<std::string>{"ndp eth7: no tunnel has a prefix in "
                                              "2001:db8:0:1::/64, so no solicitation for it is "
                                              "answered (auto)"});
    device.tunnels.push_back(tunnel({prefix("2001:db8:0:1:5::/80")}, true));
    rig.set.tunnels_changed({&device, 1});
    EXPECT_EQ(lines.size(), 1u);
  });
}

TEST(NdpSet, HasItsChangesCounted) {
  NdpConfig other = section("eth7");
  other.delay = 5ms;
  const Settings before{.devices = {}, .ndp = {section("eth7"), section("eth8"), section("eth9")}};
  const Settings after{.devices = {}, .ndp = {other, section("eth9"), section("eth1")}};
  const Changes changes = find_changes(before, after);
  EXPECT_EQ(changes.ndp, (Changes::Counts{.added = 1, .changed = 1, .removed = 1}));
  EXPECT_EQ(changes.to_text(), "1 ndp section added, 1 changed, 1 removed");
  EXPECT_EQ(find_changes(after, after).to_text(), "nothing has changed");
}

NdpReport example() {
  NdpReport report;
  report.status.config = section("eth7");
  report.status.config.interface = "eth7";
  report.status.groups = 3;
  report.status.membership = "joined 3 groups";
  report.status.totals.received = 12;
  report.status.totals.answers = 7;
  report.status.totals.duplicate_answers = 2;
  report.status.totals.ignored[static_cast<std::size_t>(NdpIgnored::no_rule)] = 5;
  return report;
}

TEST(NdpReports, AreJsonAndRows) {
  const NdpReport report = example();
  const std::string text = report_json({}, {&report, 1});
  const auto json = nlohmann::json::parse(text).at("ndp").at(0);
  EXPECT_EQ(json["interface"], "eth7");
  EXPECT_EQ(json["state"], "serving");
  EXPECT_EQ(json["groups"], 3);
  EXPECT_EQ(json["answers"], 7);
  EXPECT_EQ(json["ignored"], nlohmann::json::parse(R"({"no_rule":5})"));
  const auto table = report_table(text);
  ASSERT_TRUE(table);
  EXPECT_THAT(*table, HasSubstr("ndp eth7: serving\n  rule 2001:db8:0:1::/64 auto\n"));
  EXPECT_THAT(*table, HasSubstr("  multicast: joined 3 groups\n"));
  EXPECT_THAT(*table, testing::ContainsRegex("counted +7  answers "));
  EXPECT_THAT(*table, testing::ContainsRegex("counted +2  duplicate_answers "));
  EXPECT_THAT(*table, testing::ContainsRegex("ignored +5  no_rule +[a-z]"));
  EXPECT_THAT(*table, testing::Not(HasSubstr("announcements")));  // none were sent
}

TEST(NdpReports, NameHostsWithARoute) {
  NdpReport report = example();
  report.status.config.rules[0].interfaces = {"br-lan", "br-guest"};
  report.status.config.rules[0].wire = true;
  report.status.wired = {{address("2001:db8:0:1::5"), "br-guest"}};
  report.status.totals.routes_added = 4;
  const std::string text = report_json({}, {&report, 1});
  const auto json = nlohmann::json::parse(text).at("ndp").at(0);
  EXPECT_EQ(json["wired"],
            nlohmann::json::parse(R"([{"address":"2001:db8:0:1::5","interface":"br-guest"}])"));
  EXPECT_EQ(json["rules"][0]["interface"], nlohmann::json::parse(R"(["br-lan","br-guest"])"));
  const auto table = report_table(text);
  ASSERT_TRUE(table);
  EXPECT_THAT(*table, HasSubstr("auto interface br-lan interface br-guest wire\n"));
  EXPECT_THAT(*table, HasSubstr("  wired 2001:db8:0:1::5 dev br-guest\n"));
  EXPECT_THAT(*table, testing::ContainsRegex("counted +4  routes_added "));
}

TEST(NdpReports, SayWhyTheyWait) {
  NdpReport report = example();
  report.waits_because = "it is down";
  const auto table = report_table(report_json({}, {&report, 1}));
  ASSERT_TRUE(table);
  EXPECT_THAT(*table, HasSubstr("ndp eth7: waiting (it is down)\n"));
  EXPECT_THAT(*table, testing::Not(HasSubstr("multicast:")));
}

TEST(NdpReports, AreMergedAndFoundByInterface) {
  const NdpReport report = example();
  NdpReport other = example();
  other.status.config.interface = "eth1";
  const std::vector<std::string> answers{report_json({}, {&report, 1}),
                                         report_json({}, {&other, 1})};
  const auto all = nlohmann::json::parse(*merge_reports(answers, ""));
  ASSERT_EQ(all["ndp"].size(), 2u);
  EXPECT_EQ(all["ndp"][0]["interface"], "eth1");
  const auto one = nlohmann::json::parse(*merge_reports(answers, "eth7"));
  ASSERT_EQ(one["ndp"].size(), 1u);
  EXPECT_EQ(one["ndp"][0]["interface"], "eth7");
  EXPECT_FALSE(merge_reports(std::vector<std::string>{R"({"devices":[],"ndp":[{}]})"}, ""));
}

/// A section with 8,000 rules that have the answer "auto".
NdpConfig section_of_many_rules() {
  NdpConfig config;
  config.interface = "eth7";
  for (unsigned i = 0; i < 8'000; ++i) {
    NdpRule rule;
    rule.prefix = *proto::Ipv6Prefix::from_text("2001:db8::" + std::to_string(i) + ":0/112");
    config.rules.push_back(rule);
  }
  return config;
}

TEST(NdpLine, IsShortWithAnyNumberOfRules) {
  NdpReport report;
  report.status.config = section_of_many_rules();
  const std::string line = ndp_line(report);
  EXPECT_THAT(line, HasSubstr("for 2001:db8::/112 (auto), 2001:db8::1:0/112 (auto), "));
  EXPECT_THAT(line, HasSubstr(" and 7984 more; "));
  EXPECT_LT(line.size(), 2'000u);
}

TEST(ManagedNdp, LogsIdleRulesInAShortLine) {
  in_namespace([] {
    ManagedNdpRig rig;
    std::string logged;
    NdpConfig config = section_of_many_rules();
    config.log = [&](LogLevel, std::string_view line) { logged += line; };
    rig.start({config});
    EXPECT_THAT(logged, HasSubstr(" and 7984 more, so no solicitation"));
    EXPECT_LT(logged.size(), 2'000u);
  });
}

}  // namespace
}  // namespace culvert::program
