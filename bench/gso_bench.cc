// GSO: segments super-packets, checksums included. An item is one output segment; an iteration is
// one super-packet.
#include <benchmark/benchmark.h>

#include <array>
#include <memory>
#include <vector>

#include "bench/super_packet.h"
#include "engine/offload/gso.h"

namespace culvert {
namespace {

using bench::SuperPacket;
using bench::Transport;

std::size_t cut(const io::Packet& packet) {
  std::array<std::byte, kMaxInnerHeaderBytes> headers;
  auto gso = Gso::start(packet, classify(packet.bytes()));
  const std::size_t count = gso->segment_count();
  for (std::size_t i = 0; i < count; ++i) {
    benchmark::DoNotOptimize(gso->next(headers).data());
    benchmark::DoNotOptimize(headers.data());
  }
  return count;
}

/// 32 segments. Argument: their size.
void segment_packets(benchmark::State& state, Transport transport) {
  const std::size_t packet_bytes = static_cast<std::size_t>(state.range(0));
  const std::size_t payload = packet_bytes - std::min(packet_bytes - 1, header_bytes(transport));
  const SuperPacket super(transport, 1, 32 * payload, payload);
  std::size_t packets = 0;
  for (auto _ : state) packets += cut(super.packet());
  state.counters["time_per_packet"] = benchmark::Counter(
      static_cast<double>(packets), benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}
BENCHMARK_CAPTURE(segment_packets, tcp, Transport::tcp)->Arg(64)->Arg(512)->Arg(1280);
BENCHMARK_CAPTURE(segment_packets, udp, Transport::udp)->Arg(64)->Arg(512)->Arg(1280);

/// 45 segments of 1,500 bytes, the contents of one read of TUN.
void segment_64k(benchmark::State& state) {
  const SuperPacket super(Transport::tcp, 1, 45 * 1428, 1428);
  for (auto _ : state) cut(super.packet());
  state.SetBytesProcessed(state.iterations() * 45 * 1500);
}
BENCHMARK(segment_64k);

/// The same from buffers that are no longer in the second-level cache.
void segment_64k_cold(benchmark::State& state) {
  std::vector<std::unique_ptr<SuperPacket>> supers;
  for (std::size_t i = 0; i < bench::kColdBuffers; ++i)
    supers.push_back(std::make_unique<SuperPacket>(Transport::tcp, 1, 45 * 1428, 1428));
  std::size_t next = 0;
  for (auto _ : state) cut(supers[next++ % supers.size()]->packet());
  state.SetBytesProcessed(state.iterations() * 45 * 1500);
}
BENCHMARK(segment_64k_cold);

}  // namespace
}  // namespace culvert
