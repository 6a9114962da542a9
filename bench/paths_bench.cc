// The whole path of a packet in memory: a worker's round with a PacketIo that provides a batch of
// packets and discards everything that is sent. Outbound: parse, tunnel, MSS, encapsulate, count.
// Inbound: outer header, encapsulation, tunnel, inner header, source, ECN, GRO, count. The kernel's
// part is not included.
#include <benchmark/benchmark.h>

#include <memory>
#include <vector>

#include "bench/packet_path.h"

namespace culvert {
namespace {

using bench::Traffic;

void run(benchmark::State& state, const Traffic& traffic, const Parameters& mode) {
  const Tunnel tunnel = bench::make_tunnel(mode);
  Snapshot<Tables> tables(std::make_unique<Tables>(std::vector{tunnel}), 1);
  bench::Way way(traffic, tunnel, tables, 0);
  // Every flow is in the table already.
  const std::size_t before =
      traffic.table != nullptr ? traffic.flows / traffic.batch_packets + 1 : 0;
  for (std::size_t i = 0; i < before; ++i) way.round();
  for (auto _ : state) way.round();
  const auto packets = static_cast<std::uint64_t>(state.iterations()) * traffic.batch_packets;
  if (way.forwarded() != packets + before * traffic.batch_packets)
    state.SkipWithError("not every packet was forwarded");
  state.SetItemsProcessed(static_cast<std::int64_t>(packets));
  state.counters["time_per_packet"] = bench::time_of_each(static_cast<double>(packets));
}

// ---- size of the inner packet, and encapsulation; each packet of a batch is of another flow -----

void by_size(benchmark::State& state, io::Source source) {
  const auto mode = state.range(1) == 0 ? Parameters{proto::SixInFour::Parameters{}}
                                        : proto::Gre::Parameters{.ikey = 42, .okey = 42};
  run(state, {.source = source, .inner_bytes = static_cast<std::size_t>(state.range(0))}, mode);
}
void outbound_path(benchmark::State& state) { by_size(state, io::Source::tun); }
void inbound_path(benchmark::State& state) { by_size(state, io::Source::tunnel); }
// gre 1: with a key
BENCHMARK(outbound_path)->ArgNames({"bytes", "gre"})->ArgsProduct({{64, 512, 1280}, {0, 1}});
BENCHMARK(inbound_path)->ArgNames({"bytes", "gre"})->ArgsProduct({{64, 512, 1280}, {0, 1}});

// ---- the cost of a packet by batch size, and by number of flows ---------------------------------

void by_batch(benchmark::State& state, io::Source source) {
  const auto batch = static_cast<std::size_t>(state.range(0));
  run(state, {.source = source, .batch_packets = batch, .flows = 1'000},
      proto::SixInFour::Parameters{});
}
void outbound_batch(benchmark::State& state) { by_batch(state, io::Source::tun); }
void inbound_batch(benchmark::State& state) { by_batch(state, io::Source::tunnel); }
BENCHMARK(outbound_batch)->ArgName("packets")->RangeMultiplier(4)->Range(1, 256);
BENCHMARK(inbound_batch)->ArgName("packets")->RangeMultiplier(4)->Range(1, 256);

void by_flows(benchmark::State& state, io::Source source) {
  const auto flows = static_cast<std::uint32_t>(state.range(0));
  std::unique_ptr<FlowTable> table;
  if (state.range(1) != 0) table = std::move(*FlowTable::open(flows + flows / 2 + 64));
  run(state, {.source = source, .flows = flows, .table = table.get()},
      proto::SixInFour::Parameters{});
}
void outbound_flows(benchmark::State& state) { by_flows(state, io::Source::tun); }
void inbound_flows(benchmark::State& state) { by_flows(state, io::Source::tunnel); }
// pinned 1: with a flow table that has 1.5 times as many places as flows
const std::vector<std::int64_t> kFlowCounts{1, 10, 100, 1'000, 10'000, 100'000, 1'000'000};
BENCHMARK(outbound_flows)->ArgNames({"flows", "pinned"})->ArgsProduct({kFlowCounts, {0, 1}});
BENCHMARK(inbound_flows)->ArgNames({"flows", "pinned"})->ArgsProduct({kFlowCounts, {0, 1}});

}  // namespace
}  // namespace culvert
