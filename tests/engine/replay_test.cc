// Behaviour on the wire: scenarios of tunnels forward the same packets in every run, and everything
// that leaves them is compared with replay_digests.txt: each byte of each datagram sent and of each
// packet written to TUN, with destinations, next hops, interfaces and offloads, and each counter of
// each tunnel after each round. A change of the engine that keeps its behaviour keeps that file.
//
//   CULVERT_REPLAY_RECORD=1 engine_tests --gtest_filter='Replay.*'     writes the file anew
//   CULVERT_REPLAY_DUMP=FOLDER engine_tests --gtest_filter='Replay.*'  writes all packets there
//   CULVERT_REPLAY_EVERY=N                                             takes every Nth scenario only
//
// To see which packet differs, dump with the builds before and after a change, and compare the two
// folders. New seeds of the fuzzers change only the lines seeds_*.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "tests/support/replay.h"

namespace culvert::test {
namespace {

constexpr auto kReplayFile = CULVERT_SOURCE_DIR "/tests/engine/replay_digests.txt";

ReplayScenario scenario(std::string name, TunnelConfig config) {
  return {.name = std::move(name), .tunnels = {std::move(config)}};
}

using Scenarios = std::vector<ReplayScenario>;

void add_gre_fields(Scenarios& scenarios) {
  for (unsigned fields = 0; fields < 8; ++fields) {
    proto::Gre::Parameters gre;
    std::string name = "gre";
    if ((fields & 1) != 0) name += "_key", gre.ikey = gre.okey = 7;
    if ((fields & 2) != 0) name += "_csum", gre.icsum = gre.ocsum = true;
    if ((fields & 4) != 0) name += "_seq", gre.iseq = gre.oseq = true;
    scenarios.push_back(scenario(name, gre_config(gre)));
  }
  scenarios.push_back(scenario("gre_ikey", gre_config({.ikey = 0})));
  scenarios.push_back(scenario("gre_okey", gre_config({.okey = 0})));
  scenarios.push_back(scenario("gre_two_keys", gre_config({.ikey = 1, .okey = 99})));
  scenarios.push_back(scenario("gre_icsum_oseq", gre_config({.icsum = true, .oseq = true})));
  scenarios.push_back(scenario("gre_ocsum_iseq", gre_config({.ocsum = true, .iseq = true})));
}

/// What a tunnel's configuration may say besides its encapsulation.
void add_options(Scenarios& scenarios, const std::string& mode, const TunnelConfig& config) {
  const auto add = [&](const std::string& name, auto change) {
    scenarios.push_back(scenario(mode + "_" + name, config));
    change(scenarios.back().tunnels.front());
  };
  add("ttl_inherit", [](TunnelConfig& tunnel) { tunnel.ttl.reset(); });
  add("tos_inherit", [](TunnelConfig& tunnel) { tunnel.tos.reset(); });
  add("tos_fixed", [](TunnelConfig& tunnel) { tunnel.tos = std::uint8_t{0x48}; });
  add("ecn_compatibility",
      [](TunnelConfig& tunnel) { tunnel.ecn = proto::EcnMode::compatibility; });
  add("no_mssclamp", [](TunnelConfig& tunnel) { tunnel.mssclamp = false; });
  add("no_coalesce", [](TunnelConfig& tunnel) { tunnel.coalesce = false; });
  add("down", [](TunnelConfig& tunnel) { tunnel.up = false; });
  for (const auto mtu : std::initializer_list<std::uint16_t>{1'500, 1'280, 600}) {
    add("static_mtu_" + std::to_string(mtu), [](TunnelConfig& tunnel) { tunnel.pmtudisc = false; });
    scenarios.back().path_mtu = mtu;
  }
  for (const auto mtu : std::initializer_list<std::uint16_t>{1'480, 1'290, 1'000}) {
    add("path_mtu_" + std::to_string(mtu), [](TunnelConfig&) {});
    scenarios.back().path_mtu = mtu;
  }
  const OwnAddresses own{*proto::Ipv4Address::from_text(kLocalText),
                         *proto::Ipv4Address::from_text("192.0.2.8")};
  add("local_any", [](TunnelConfig& tunnel) { tunnel.local.reset(); });
  scenarios.back().own = own;
  add("no_route", [](TunnelConfig& tunnel) { tunnel.local.reset(); });
  scenarios.back().has_route = false;
  add("remote_any", [](TunnelConfig& tunnel) { tunnel.remote = {}; });
  scenarios.back().own = own;
  add("both_any", [](TunnelConfig& tunnel) { tunnel.local.reset(), tunnel.remote = {}; });
  scenarios.back().own = own;
  add("dev", [](TunnelConfig& tunnel) { tunnel.dev = "wan0"; });
  scenarios.back().interface_index = 7;
}

/// The sockets, the TUN device and the worker.
void add_queues(Scenarios& scenarios, const std::string& mode, const TunnelConfig& config) {
  const auto add = [&](const std::string& name) -> ReplayScenario& {
    return scenarios.emplace_back(scenario(mode + "_" + name, config));
  };
  const io::NextHop hop{.interface_index = 10,
                        .kernel_gso = false,
                        .source = {{2, 0, 0, 0, 0, 1}},
                        .destination = {{2, 0, 0, 0, 0, 2}}};
  io::NextHop cutting_hop = hop;
  cutting_hop.kernel_gso = true;
  add("raw").receive = io::ReceiveKind::raw;
  add("no_virtio_header").tun_has_virtio_header = false;
  add("no_uso").tun_has_uso = false;
  add("no_pinning").pinning = false;
  add("sends_fail").sends_fail = true;
  add("small_batches").sizes = {.batch_sends = 24, .batch_writes = 8};
  add("next_hop").next_hop = hop;
  add("kernel_gso").next_hop = cutting_hop;
  ReplayScenario& static_mtu = add("kernel_gso_static_mtu");
  static_mtu.next_hop = cutting_hop;
  static_mtu.tunnels[0].pmtudisc = false;
  ReplayScenario& lost_hop = add("kernel_gso_fails");
  lost_hop.next_hop = cutting_hop;
  lost_hop.sends_fail = true;
}

/// Tunnel `i` of several, of which each has another remote endpoint.
TunnelConfig numbered(unsigned i) {
  TunnelConfig config = i % 2 == 0 ? sit_config() : gre_config({.ikey = i, .okey = i});
  config.name = "tunnel" + std::to_string(i);
  config.remote = proto::Ipv4Address::from_host(0xc633'6401 + i);  // 198.51.100.1, ...
  return config;
}
void add_site(TunnelConfig& config, unsigned site) {
  const std::string number = std::to_string(site);
  config.prefixes6.push_back(*proto::Ipv6Prefix::from_text("2001:db8:" + number + "::/48"));
  config.prefixes4.push_back(*proto::Ipv4Prefix::from_text("10." + number + ".0.0/16"));
}

ReplayScenario many(std::string name, unsigned count) {
  ReplayScenario made{.name = std::move(name), .tunnels = {}};
  for (unsigned i = 0; i < count; ++i) {
    made.tunnels.push_back(numbered(i));
    add_site(made.tunnels.back(), i);
  }
  return made;
}

void add_many(Scenarios& scenarios) {
  scenarios.push_back(many("prefixes", kReplaySites - 1));
  scenarios.push_back(many("prefixes_one_down", kReplaySites));
  scenarios.back().tunnels[2].up = scenarios.back().tunnels[3].up = false;
  scenarios.push_back(many("prefixes_raw", kReplaySites));
  scenarios.back().receive = io::ReceiveKind::raw;
  scenarios.push_back(many("prefixes_accept", kReplaySites));
  for (TunnelConfig& config : scenarios.back().tunnels) {
    config.accept6 = {*proto::Ipv6Prefix::from_text("2001:db8::/47")};
    config.accept4 = {*proto::Ipv4Prefix::from_text("10.0.0.0/14")};
  }
  scenarios.push_back(many("many_tunnels", 255));  // enough for the prefetcher
  scenarios.back().tunnels.push_back(numbered(256));
  add_site(scenarios.back().tunnels.back(), 0xffe % 256);
  for (const bool has_metric : {false, true}) {  // groups: all have all sites
    ReplayScenario group{.name = has_metric ? "group_metric" : "group_weight", .tunnels = {}};
    for (unsigned i = 0; i < 5; ++i) {
      TunnelConfig& config = group.tunnels.emplace_back(numbered(2 * i));
      if (i >= 2) config.mode = proto::Gre::Parameters{};
      for (unsigned site = 0; site < kReplaySites; ++site) add_site(config, site);
      config.weight = static_cast<std::uint16_t>(1 + i * i);
      if (has_metric) config.metric = i / 2;
      config.up = !has_metric || i != 0;
    }
    scenarios.push_back(group);
    scenarios.back().name += "_no_pinning";
    scenarios.back().pinning = false;
    scenarios.push_back(std::move(group));
  }
}

void add_seeds(Scenarios& scenarios) {
  const std::pair<std::string, TunnelConfig> modes[] = {
      {"sit", sit_config()},
      {"gre", gre_config()},
      {"gre_key", gre_config({.ikey = 42, .okey = 42})}};
  for (const auto& [name, config] : modes) {
    scenarios.push_back(scenario("seeds_" + name, config));
    scenarios.back().tunnels[0].local = *proto::Ipv4Address::from_text("10.0.0.1");
    scenarios.back().tunnels[0].remote = *proto::Ipv4Address::from_text("10.0.0.2");
  }
}

/// The recorded lines, by the name of their scenario.
std::map<std::string, std::string> recorded_lines() {
  std::map<std::string, std::string> lines;
  std::ifstream file(kReplayFile);
  for (std::string line; std::getline(file, line);)
    if (!line.starts_with('#')) lines[line.substr(0, line.find(' '))] = line;
  return lines;
}

/// CULVERT_REPLAY_EVERY; 1 without it. For builds in which a scenario takes long.
std::size_t scenario_step() {
  const char* every = std::getenv("CULVERT_REPLAY_EVERY");
  return every == nullptr ? 1 : static_cast<std::size_t>(std::max(std::atoi(every), 1));
}

void record_lines(const std::vector<std::string>& lines) {
  std::ofstream file(kReplayFile);
  file << "# The recorded results of replay_test.cc, which describes them and how to write them.\n";
  for (const std::string& line : lines) file << line << '\n';
}

TEST(Replay, GivesTheRecordedBytesAndCounters) {
  Scenarios scenarios{scenario("sit", sit_config())};
  scenarios.push_back(scenario("ipip", ipip_config()));
  scenarios.push_back(scenario("ipip_static_mtu", ipip_config()));
  scenarios.back().tunnels[0].pmtudisc = false;
  scenarios.push_back(scenario("any", ipip_config()));
  scenarios.back().tunnels[0].mode = proto::AnyIp::Parameters{};
  add_gre_fields(scenarios);
  add_options(scenarios, "sit", sit_config());
  add_options(scenarios, "gre", gre_config({.ikey = 7, .okey = 7}));
  add_queues(scenarios, "sit", sit_config());
  add_queues(scenarios, "gre", gre_config());
  add_queues(scenarios, "gre_csum", gre_config({.icsum = true, .ocsum = true}));
  add_many(scenarios);
  const std::size_t traffic_count = scenarios.size();
  add_seeds(scenarios);

  const char* dump = std::getenv("CULVERT_REPLAY_DUMP");
  const bool is_recording = std::getenv("CULVERT_REPLAY_RECORD") != nullptr;
  auto recorded = recorded_lines();
  const ReplayCorpus traffic = traffic_corpus(1'500), seeds = fuzz_corpus();
  std::vector<std::string> lines;
  Totals totals;
  const std::size_t step = is_recording ? 1 : scenario_step();
  for (std::size_t i = 0; i < scenarios.size(); ++i) {
    const std::string& name = scenarios[i].name;
    if (i % step != 0) {
      recorded.erase(name);
      continue;
    }
    SCOPED_TRACE(name);
    const auto result = replay(scenarios[i], i < traffic_count ? traffic : seeds,
                               dump != nullptr ? std::string{dump} + "/" + name : std::string{});
    totals += result.totals;
    lines.push_back(result.line(name));
    if (is_recording) continue;
    const std::string differences = difference(recorded[name], lines.back());
    EXPECT_TRUE(differences.empty()) << differences << "the line is now:\n" << lines.back();
    recorded.erase(name);
  }
  if (is_recording) return record_lines(lines);
  for (const auto& [name, line] : recorded) ADD_FAILURE() << "no scenario has the name " << name;
  if (step != 1) return;
  // The packets reach every exit but one: after EMSGSIZE the worker asks the kernel for a route.
  for (const DropReasonFacts& each : kDropReasons) {
    if (each.reason == DropReason::none || each.reason == DropReason::send_too_big) continue;
    EXPECT_GT(totals.dropped(each.reason), 0u) << each.name;
  }
}

}  // namespace
}  // namespace culvert::test
