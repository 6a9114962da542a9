// The cost of the flow table per packet. Flows are looked up in random order, so with many flows
// each cache line comes from memory. `ahead`: a packet's lines are prefetched this many packets
// before its look-up, as a worker does for the packets of its round (0: no prefetch).
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <random>
#include <vector>

#include "engine/flows/flow_table.h"

namespace culvert {
namespace {

constexpr Time kEpoch{};

FlowKey key_of(std::uint32_t number) {
  FlowKey key{.far = *proto::Ipv6Address::from_text("2001:db8:1::2"),
              .near = *proto::Ipv6Address::from_text("2001:db8::"),
              .word = 4241u << 16 | 4242,
              .protocol = proto::kProtocolUdp};
  proto::store_be32(key.near.bytes, 12, number);
  return key;
}

std::unique_ptr<FlowTable> open_table(std::size_t flows) {
  auto table = FlowTable::open(flows, SipKey{1, 2}, kEpoch);
  return table ? std::move(*table) : nullptr;
}

FlowStep step(Direction direction, std::uint32_t tick = 0) {
  return {.direction = direction, .now = FlowTick{tick}};
}

/// All keys once, in random order.
std::vector<FlowKey> shuffled_keys(std::uint32_t count) {
  std::vector<FlowKey> keys;
  for (std::uint32_t i = 0; i < count; ++i) keys.push_back(key_of(i));
  std::shuffle(keys.begin(), keys.end(), std::mt19937{1});
  return keys;
}

void hash(benchmark::State& state) {
  const auto table = open_table(1'024);
  FlowKey key = key_of(1);
  for (auto _ : state) {
    ++key.word;
    benchmark::DoNotOptimize(table->hash(key));
  }
}
BENCHMARK(hash);

/// Uses the keys in turn. Prefetches the lines of the packets `ahead` and half as many later.
template <class Use>
void in_turn(benchmark::State& state, FlowTable& table, const std::vector<FlowKey>& keys,
             std::size_t ahead, Use use) {
  std::vector<std::uint64_t> hashes(64);
  const std::size_t mask = hashes.size() - 1;
  std::size_t next = 0;
  const auto at = [&](std::size_t i) -> const FlowKey& { return keys[i % keys.size()]; };
  for (std::size_t i = 0; i < ahead; ++i) hashes[i & mask] = table.hash(at(i));
  for (auto _ : state) {
    if (ahead == 0) {
      use(at(next), table.hash(at(next)));
    } else {
      hashes[(next + ahead) & mask] = table.hash(at(next + ahead));
      table.prefetch_index(hashes[(next + ahead) & mask]);
      table.prefetch_entry(hashes[(next + ahead / 2) & mask]);
      use(at(next), hashes[next & mask]);
    }
    if (++next == keys.size() * hashes.size()) next = 0;
  }
  state.SetItemsProcessed(state.iterations());
}

/// Flows that are all in a table with 1.5 times as many places.
struct Filled {
  explicit Filled(std::uint32_t count)
      : table(open_table(count + count / 2)), keys(shuffled_keys(count)) {
    for (const FlowKey& key : keys)
      table->pin(key, table->hash(key), step(Direction::inbound), {.slot = 1});
  }
  std::unique_ptr<FlowTable> table;
  std::vector<FlowKey> keys;
};

// An outbound packet that follows its pin, and an inbound packet that refreshes it.
void look_up(benchmark::State& state) {
  Filled filled(static_cast<std::uint32_t>(state.range(0)));
  std::size_t missed = 0;
  in_turn(state, *filled.table, filled.keys, static_cast<std::size_t>(state.range(1)),
          [&](const FlowKey& key, std::uint64_t hash) {
            missed += !filled.table->pinned(key, hash, step(Direction::outbound));
          });
  state.counters["missed"] = static_cast<double>(missed);
}
void keep(benchmark::State& state) {
  Filled filled(static_cast<std::uint32_t>(state.range(0)));
  in_turn(state, *filled.table, filled.keys, static_cast<std::size_t>(state.range(1)),
          [&](const FlowKey& key, std::uint64_t hash) {
            filled.table->pin(key, hash, step(Direction::inbound), {.slot = 1});
          });
}
BENCHMARK(look_up)
    ->ArgNames({"flows", "ahead"})
    ->ArgsProduct({{1'000, 65'536, 1'000'000}, {0, 8, 16}});
BENCHMARK(keep)->ArgNames({"flows", "ahead"})->ArgsProduct({{1'000, 1'000'000}, {0, 16}});

// Packets without a flow entry: the cost of a table for traffic that does not need it.
void miss(benchmark::State& state) {
  Filled filled(static_cast<std::uint32_t>(state.range(0)));
  for (FlowKey& key : filled.keys) key.word = 1;
  in_turn(state, *filled.table, filled.keys, 16, [&](const FlowKey& key, std::uint64_t hash) {
    benchmark::DoNotOptimize(filled.table->pinned(key, hash, step(Direction::outbound)));
  });
}
BENCHMARK(miss)->ArgName("flows")->Arg(1'000)->Arg(1'000'000);

// An attack: every packet is a new flow, and the table is full of live ones.
void displace(benchmark::State& state) {
  const auto table = open_table(static_cast<std::size_t>(state.range(0)));
  std::uint32_t number = 0;
  const auto attack = [&] {
    const FlowKey key = key_of(number++);
    table->pin(key, table->hash(key), step(Direction::inbound, number / 1'000'000), {.slot = 1});
  };
  for (std::int64_t i = 0; i < 2 * state.range(0); ++i) attack();
  for (auto _ : state) attack();
}
BENCHMARK(displace)->ArgName("flows")->Arg(65'536)->Arg(1'048'576);

// Both directions of the same flows, each on its own thread.
void both_ways(benchmark::State& state) {
  static Filled filled(1'000);
  const bool is_out = state.thread_index() % 2 == 0;
  std::size_t next = 0;
  for (auto _ : state) {
    const FlowKey& key = filled.keys[next];
    const auto hash = filled.table->hash(key);
    if (is_out) {
      benchmark::DoNotOptimize(filled.table->pinned(key, hash, step(Direction::outbound)));
    } else {
      filled.table->pin(key, hash, step(Direction::inbound), {.slot = 1});
    }
    if (++next == filled.keys.size()) next = 0;
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(both_ways)->Threads(1)->Threads(2)->UseRealTime();

}  // namespace
}  // namespace culvert
