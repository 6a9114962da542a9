// The whole path of a packet in memory, as in paths_bench, on a device with many tunnels. Each
// packet uses another tunnel, in random order. Outbound its inner prefix selects the tunnel,
// inbound its outer addresses. The worker's state per tunnel is included. And the cost of a route
// change for the packets' thread.
#include <benchmark/benchmark.h>

#include <time.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <numeric>
#include <random>
#include <vector>

#include "bench/packet_path.h"

namespace culvert {
namespace {

constexpr std::size_t kBatchPackets = 64, kInnerBytes = 64;
constexpr std::size_t kInnerSource = 8, kInnerDestination = 24;

/// Tunnel `i` has the remote 10.0.0.0 + i and the prefix 2001:db8:i::/64, i as 32 bits.
Tunnel tunnel_of(std::uint32_t i) {
  Tunnel tunnel = bench::make_tunnel(proto::SixInFour::Parameters{});
  tunnel.index = i;
  tunnel.config.name += std::to_string(i);
  tunnel.config.remote = proto::Ipv4Address::from_host(0x0a00'0000 + i);
  auto prefix = *proto::Ipv6Prefix::from_text("2001:db8::/64");
  proto::store_be32(prefix.address.bytes, 4, i);
  tunnel.config.prefixes6 = {prefix};
  return tunnel;
}

std::unique_ptr<const Tables> tables_of(std::uint32_t count) {
  TunnelSlots slots;
  for (std::uint32_t i = 0; i < count; ++i)
    slots.push_back(std::make_shared<const Tunnel>(tunnel_of(i)));
  return std::make_unique<const Tables>(std::move(slots));
}

/// Packets of all tunnels, in a fixed random order.
class TunnelPacketIo final : public bench::BatchPacketIo {
 public:
  TunnelPacketIo(io::Source source, std::uint32_t tunnels)
      : BatchPacketIo(source, kBatchPackets),
        inner_(bench::inner_packet(kInnerBytes)),
        order_(tunnels) {
    std::iota(order_.begin(), order_.end(), 0u);
    std::shuffle(order_.begin(), order_.end(), std::mt19937{1});
  }

  Result<void> wait(std::chrono::nanoseconds) noexcept override {
    packets_.clear();
    for (std::size_t i = 0; i < kBatchPackets; ++i) {
      const std::uint32_t tunnel = order_[next_];
      if (++next_ == order_.size()) next_ = 0;
      packets_.emplace_back(slot(i), io::kHeadroomBytes, draw(slot(i), tunnel));
    }
    return {};
  }

 private:
  /// Returns the size in bytes. Neither direction verifies UDP checksums.
  std::size_t draw(std::span<std::byte> slot, std::uint32_t tunnel) noexcept {
    auto bytes = slot.subspan(io::kHeadroomBytes);
    std::size_t outer_bytes = 0;
    if (source_ == io::Source::tunnel) {
      outer_bytes = proto::kIpv4HeaderBytes;
      proto::build_ipv4(bytes.first<proto::kIpv4HeaderBytes>(),
                        {.source = proto::Ipv4Address::from_host(0x0a00'0000 + tunnel),
                         .destination = proto::Ipv4Address::from_host(0xc0000201),
                         .protocol = proto::kProtocolIpv6,
                         .ttl = 64,
                         .total_bytes = static_cast<std::uint16_t>(20 + inner_.size())});
    }
    std::copy(inner_.begin(), inner_.end(), bytes.begin() + static_cast<long>(outer_bytes));
    const std::size_t end = source_ == io::Source::tunnel ? kInnerSource : kInnerDestination;
    proto::store_be32(bytes, outer_bytes + end, 0x2001'0db8);
    proto::store_be32(bytes, outer_bytes + end + 4, tunnel);
    return outer_bytes + inner_.size();
  }

  std::vector<std::byte> inner_;
  std::vector<std::uint32_t> order_;
  std::size_t next_ = 0;
};

void run(benchmark::State& state, io::Source source) {
  const auto tunnels = static_cast<std::uint32_t>(state.range(0));
  Snapshot<Tables> tables(tables_of(tunnels), 1);
  Worker worker(std::make_unique<TunnelPacketIo>(source, tunnels), tables,
                {.sizes = {.tun_packets = kBatchPackets, .tunnel_packets = kBatchPackets}});
  for (std::uint32_t slot = 0; slot < tunnels; ++slot)
    if (!worker.prepare(slot)) std::abort();
  const Time now = std::chrono::steady_clock::now();
  for (auto _ : state) {
    const auto done = worker.round(std::chrono::nanoseconds{0}, now);
    benchmark::DoNotOptimize(done.has_value());
  }
  Totals totals;
  for (std::uint32_t slot = 0; slot < tunnels; ++slot) totals += worker.totals(slot);
  const auto packets = static_cast<std::uint64_t>(state.iterations()) * kBatchPackets;
  if (totals.out_packets + totals.in_packets != packets)
    state.SkipWithError("not every packet was forwarded");
  state.SetItemsProcessed(static_cast<std::int64_t>(packets));
  state.counters["time_per_packet"] = bench::time_of_each(static_cast<double>(packets));
}

void outbound_tunnels(benchmark::State& state) { run(state, io::Source::tun); }
void inbound_tunnels(benchmark::State& state) { run(state, io::Source::tunnel); }
BENCHMARK(outbound_tunnels)->ArgName("tunnels")->Arg(1)->Arg(100)->Arg(10'000);
BENCHMARK(inbound_tunnels)->ArgName("tunnels")->Arg(1)->Arg(100)->Arg(10'000);

// ---- a route change -----------------------------------------------------------------------------

/// As tunnel_of(i), but to the loopback network, to which every machine has a route.
Tunnel loopback_tunnel_of(std::uint32_t i) {
  Tunnel tunnel = tunnel_of(i);
  tunnel.config.remote = proto::Ipv4Address::from_host(0x7f00'0100 + i);
  tunnel.config.local.reset();
  return tunnel;
}

/// The CPU time of rounds, which no other thread's turn on the CPU adds to.
class RoundTimes {
 public:
  void run(Worker& worker) {
    const auto begin = cpu_time();
    const auto done = worker.round(std::chrono::nanoseconds{0}, Time::clock::now());
    benchmark::DoNotOptimize(done.has_value());
    const auto taken = cpu_time() - begin;
    total_ += taken;
    longest_ = std::max(longest_, taken);
    ++rounds_;
  }
  [[nodiscard]] double ns_per_packet() const {
    return static_cast<double>(total_.count()) / static_cast<double>(rounds_ * kBatchPackets);
  }
  [[nodiscard]] double longest_us() const { return static_cast<double>(longest_.count()) / 1e3; }

 private:
  /// Of this thread.
  static std::chrono::nanoseconds cpu_time() {
    timespec time{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return std::chrono::seconds{time.tv_sec} + std::chrono::nanoseconds{time.tv_nsec};
  }

  std::chrono::nanoseconds total_{0}, longest_{0};
  std::size_t rounds_ = 0;
};

/// A look-up changes the route MTU of every path from this value to that of the loopback interface.
constexpr std::uint16_t kOldMtu = 1500;

/// Runs rounds until all routes are looked up. False: they are not within ten seconds.
bool run_until_refreshed(RoundTimes& times, Worker& worker, const TunnelSlots& slots) {
  const Time end = Time::clock::now() + std::chrono::seconds{10};
  for (auto next = slots.begin(); next != slots.end();) {
    if (Time::clock::now() > end) return false;
    times.run(worker);
    while (next != slots.end() &&
           (*next)->path->route_mtu.load(std::memory_order_relaxed) != kOldMtu)
      ++next;
  }
  return true;
}

/// An iteration runs rounds at rest, and rounds while the routes of all tunnels change. Medians of
/// the iterations: the packets' thread per packet, and its longest round.
void route_change(benchmark::State& state) {
  constexpr std::size_t kRoundsAtRest = 10'000;
  const auto tunnels = static_cast<std::uint32_t>(state.range(0));
  TunnelSlots slots;
  for (std::uint32_t i = 0; i < tunnels; ++i)
    slots.push_back(std::make_shared<const Tunnel>(loopback_tunnel_of(i)));
  Snapshot<Tables> tables(std::make_unique<const Tables>(slots), 2);
  RouteRefresher refresher(tables, 1);
  Worker worker(std::make_unique<TunnelPacketIo>(io::Source::tun, tunnels), tables,
                {.sizes = {.tun_packets = kBatchPackets}, .refresher = &refresher});
  for (std::uint32_t slot = 0; slot < tunnels; ++slot)
    if (!worker.prepare(slot)) std::abort();
  if (!refresher.start("bench")) return state.SkipWithError("no thread");
  std::vector<double> rest_ns, rest_longest, change_ns, change_longest;
  for (auto _ : state) {
    RoundTimes rest, change;
    for (std::size_t i = 0; i < kRoundsAtRest; ++i) rest.run(worker);
    for (const auto& tunnel : slots) tunnel->path->route_mtu = kOldMtu;
    refresher.refresh();
    if (!run_until_refreshed(change, worker, slots)) return state.SkipWithError("no routes");
    rest_ns.push_back(rest.ns_per_packet());
    rest_longest.push_back(rest.longest_us());
    change_ns.push_back(change.ns_per_packet());
    change_longest.push_back(change.longest_us());
  }
  state.counters["rest_ns_per_packet"] = bench::median(rest_ns);
  state.counters["rest_longest_round_us"] = bench::median(rest_longest);
  state.counters["change_ns_per_packet"] = bench::median(change_ns);
  state.counters["change_longest_round_us"] = bench::median(change_longest);
}
BENCHMARK(route_change)->ArgName("tunnels")->Arg(10'000)->Iterations(10);

/// Builds new tables for this many tunnels: the cost of apply() without route look-ups.
void build_tables(benchmark::State& state) {
  const auto tables = tables_of(static_cast<std::uint32_t>(state.range(0)));
  for (auto _ : state) {
    const Tables built(tables->slots());
    benchmark::DoNotOptimize(&built);
  }
}
BENCHMARK(build_tables)->ArgName("tunnels")->Arg(1)->Arg(10'000)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace culvert
