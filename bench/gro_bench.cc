// GRO: joins the packets of a batch and verifies their checksums. An item is one input packet.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "bench/super_packet.h"
#include "engine/offload/gro.h"
#include "engine/offload/gso.h"

namespace culvert {
namespace {

using bench::SuperPacket;
using bench::Transport;

constexpr std::size_t kMaxHeaderBytes = 128;

/// A batch of packets for repeated use. GRO changes the first packet of each super-packet, so it is
/// restored. The packets are classified once, as they are before they reach GRO.
class Batch {
 public:
  void add(const SuperPacket& super) {
    auto gso = Gso::start(super.packet(), classify(super.packet().bytes()));
    for (std::size_t i = 0; i < gso->segment_count(); ++i) {
      std::vector<std::byte> bytes(gso->header_bytes());
      const auto payload = gso->next(bytes);
      bytes.insert(bytes.end(), payload.begin(), payload.end());
      metas_.push_back(classify(bytes));
      headers_.emplace_back(bytes.begin(), bytes.begin() + std::min(bytes.size(), kMaxHeaderBytes));
      buffers_.push_back(std::move(bytes));
    }
  }
  void interleave(std::size_t flows) {
    const std::size_t per_flow = size() / flows;
    Batch from = std::move(*this);
    *this = {};
    for (std::size_t i = 0; i < from.size(); ++i) {
      const std::size_t next = i % flows * per_flow + i / flows;
      metas_.push_back(from.metas_[next]);
      headers_.push_back(std::move(from.headers_[next]));
      buffers_.push_back(std::move(from.buffers_[next]));
    }
  }

  std::size_t coalesce(Gro& gro) {
    packets_.clear();
    for (auto& buffer : buffers_) packets_.emplace_back(buffer, 0, buffer.size());
    for (std::size_t i = 0; i < size(); ++i) gro.add(packets_[i], metas_[i], 0, 1, true);
    const auto out = gro.finish();
    for (std::size_t i = 0; i < size(); ++i) {
      if (i != 0 && out.size() == 1) break;
      std::memcpy(buffers_[i].data(), headers_[i].data(), headers_[i].size());
    }
    const std::size_t count = out.size();
    gro.clear();
    return count;
  }
  [[nodiscard]] std::size_t size() const { return buffers_.size(); }

 private:
  // Each in an array of its own: a packet that a round has just classified is in the first cache.
  std::vector<PacketMeta> metas_;
  std::vector<std::vector<std::byte>> buffers_, headers_;
  std::vector<io::Packet> packets_;
};

void run(benchmark::State& state, Batch& batch) {
  Gro gro(256, true);
  std::size_t out = 0;
  for (auto _ : state) out = batch.coalesce(gro);
  const auto packets = static_cast<double>(state.iterations()) * static_cast<double>(batch.size());
  state.counters["time_per_packet"] =
      benchmark::Counter(packets, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
  state.counters["written"] = static_cast<double>(out);
}

std::size_t payload_of(const benchmark::State& state, Transport transport) {
  const std::size_t packet_bytes = static_cast<std::size_t>(state.range(0));
  return packet_bytes - std::min(packet_bytes - 1, header_bytes(transport));
}

/// 32 packets of one flow. Argument: their size.
void coalesce_flow(benchmark::State& state, Transport transport) {
  const std::size_t payload = payload_of(state, transport);
  Batch batch;
  batch.add(SuperPacket(transport, 1, 32 * payload, payload));
  run(state, batch);
}
BENCHMARK_CAPTURE(coalesce_flow, tcp, Transport::tcp)->Arg(64)->Arg(512)->Arg(1280);
BENCHMARK_CAPTURE(coalesce_flow, udp, Transport::udp)->Arg(64)->Arg(512)->Arg(1280);

/// 64 packets of 64 flows: no packet can be joined.
void coalesce_nothing(benchmark::State& state) {
  const std::size_t payload = payload_of(state, Transport::udp);
  Batch batch;
  for (std::uint16_t flow = 1; flow <= 64; ++flow) {
    batch.add(SuperPacket(Transport::udp, flow, payload, payload));
  }
  run(state, batch);
}
BENCHMARK(coalesce_nothing)->Arg(64)->Arg(512)->Arg(1280);

/// Eight flows of eight packets each, interleaved.
void coalesce_interleaved(benchmark::State& state) {
  const std::size_t payload = payload_of(state, Transport::tcp);
  Batch batch;
  for (std::uint16_t flow = 1; flow <= 8; ++flow) {
    batch.add(SuperPacket(Transport::tcp, flow, 8 * payload, payload));
  }
  batch.interleave(8);
  run(state, batch);
}
BENCHMARK(coalesce_interleaved)->Arg(512)->Arg(1280);

/// Joins 45 packets of 1,500 bytes to one super-packet of 64 KiB.
void coalesce_64k(benchmark::State& state) {
  Batch batch;
  batch.add(SuperPacket(Transport::tcp, 1, 45 * 1428, 1428));
  run(state, batch);
}
BENCHMARK(coalesce_64k);

/// The same from buffers that are no longer in the second-level cache.
void coalesce_64k_cold(benchmark::State& state) {
  std::vector<Batch> batches(bench::kColdBuffers);
  for (Batch& batch : batches) batch.add(SuperPacket(Transport::tcp, 1, 45 * 1428, 1428));
  Gro gro(256, true);
  std::size_t next = 0, out = 0;
  for (auto _ : state) out = batches[next++ % batches.size()].coalesce(gro);
  state.counters["written"] = static_cast<double>(out);
}
BENCHMARK(coalesce_64k_cold);

}  // namespace
}  // namespace culvert
