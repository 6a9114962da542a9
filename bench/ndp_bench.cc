// The NDP responder alone, without a kernel: the cost of one solicitation, for each result.
#include <benchmark/benchmark.h>

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/ndp/ndp_responder.h"

namespace {

using namespace culvert;

proto::Ipv6Address address(const char* text) { return *proto::Ipv6Address::from_text(text); }
proto::Ipv6Prefix prefix(const char* text) { return *proto::Ipv6Prefix::from_text(text); }

constexpr std::size_t kTunnels = 10'000;
constexpr std::size_t kFrames = 4'096;
using Frame =
    std::array<std::byte, proto::kEthernetHeaderBytes + proto::kNeighborSolicitationMaxBytes>;

/// Solicitations for targets of 2001:db8::/32, each in another /64.
std::vector<Frame> solicitations(const char* base) {
  std::vector<Frame> frames(kFrames);
  for (std::size_t i = 0; i < kFrames; ++i) {
    auto target = address(base);
    proto::store_be32(target.bytes, 4, static_cast<std::uint32_t>(i));
    const auto group = proto::solicited_node_group(target);
    const std::span frame{frames[i]};
    const proto::EthernetAddress solicitor{{2, 0, 0, 0, 0, 2}};
    proto::build_ethernet(frame.first<proto::kEthernetHeaderBytes>(), proto::ethernet_group(group),
                          solicitor);
    static_cast<void>(proto::build_neighbor_solicitation(
        frame.subspan<proto::kEthernetHeaderBytes>(), {.source = address("fe80::2"),
                                                       .destination = group,
                                                       .target = target,
                                                       .address = solicitor}));
  }
  return frames;
}

void respond(benchmark::State& state, NdpAnswer answer, std::uint32_t limit, const char* base) {
  NdpConfig config;
  config.interface = "eth0";
  config.rules = {{.prefix = prefix("2001:db8::/32"), .answer = answer, .except = {}}};
  config.answers_per_second = config.answers_per_second_per_source = limit;
  std::vector<NdpTunnelPrefix> tunnels;
  for (std::size_t i = 0; i < kTunnels; ++i) {
    auto tunnel = prefix("2001:db8::/64");
    proto::store_be32(tunnel.address.bytes, 4, static_cast<std::uint32_t>(i));
    tunnels.push_back({tunnel, true});
  }
  NdpResponder responder{config, 1};
  NdpRules rules{config, tunnels};
  responder.set_rules(rules);
  NdpInterface interface;
  interface.index = 1;
  interface.link_local = address("fe80::1");
  responder.set_interface(interface);

  const auto frames = solicitations(base);
  NdpOutput out;
  const Time now = Time{} + std::chrono::hours{1};
  std::size_t i = 0;
  for (auto _ : state) {
    responder.receive(frames[i++ % kFrames], now, out);
    if (!out.has_room()) out.clear();
  }
  state.SetItemsProcessed(state.iterations());
}

void answered_always(benchmark::State& state) {
  respond(state, NdpAnswer::always, 0, "2001:db8::1");
}
void answered_of_10000_tunnels(benchmark::State& state) {
  respond(state, NdpAnswer::automatic, 0, "2001:db8::1");
}
void over_the_limit(benchmark::State& state) {
  respond(state, NdpAnswer::always, 1, "2001:db8::1");
}
void of_no_rule(benchmark::State& state) { respond(state, NdpAnswer::always, 0, "2001:db9::1"); }
void probe_rate_limited(benchmark::State& state) {
  respond(state, NdpAnswer::probe, 0, "2001:db8::1");
}
BENCHMARK(answered_always);
BENCHMARK(answered_of_10000_tunnels);
BENCHMARK(over_the_limit);
BENCHMARK(of_no_rule);
BENCHMARK(probe_rate_limited);

}  // namespace
