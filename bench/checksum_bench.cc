// The Internet checksum, ns per sum: headers (20, 40), small and large packets.
#include <benchmark/benchmark.h>

#include <vector>

#include "proto/checksum.h"

namespace culvert::proto {
namespace {

void checksum_sum(benchmark::State& state) {
  const std::vector<std::byte> bytes(static_cast<std::size_t>(state.range(0)), std::byte{0x5a});
  for (auto _ : state) {
    std::span<const std::byte> view = bytes;
    benchmark::DoNotOptimize(view);
    benchmark::DoNotOptimize(sum(view));
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(checksum_sum)->Arg(20)->Arg(40)->Arg(64)->Arg(512)->Arg(1280)->Arg(1400)->Arg(65535);

void checksum_update(benchmark::State& state) {
  Be16 checksum = Be16::from_host(0x1234);
  for (auto _ : state) {
    checksum = update(checksum, Be16::from_host(0x4500), Be16::from_host(0x4503));
    benchmark::DoNotOptimize(checksum);
  }
}
BENCHMARK(checksum_update);

}  // namespace
}  // namespace culvert::proto
