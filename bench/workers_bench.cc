// Two workers compared with one. Each is a thread with its own CPU and its own PacketIo; they share
// the tables. An iteration runs one worker alone, then the other, then both, so that disturbances
// of the machine affect all three. `speedup` is the median of the iterations. The speedup of
// private_work is the limit of this machine (the CPUs may be two threads of one core).
#include <benchmark/benchmark.h>

#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "bench/packet_path.h"
#include "io/thread.h"

namespace culvert {
namespace {

using Clock = std::chrono::steady_clock;
using Nanoseconds = std::chrono::duration<double, std::nano>;

constexpr std::size_t kWorkers = 2;
constexpr unsigned kRounds = 4'000;

/// A pinned thread that repeats its work kRounds times after begin(). The caller decides which
/// runners run at the same time.
class alignas(io::kCacheLineBytes) Runner {
 public:
  Runner(std::size_t cpu, std::function<void()> work)
      : work_(std::move(work)), thread_([this, cpu] { run(cpu); }) {}
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;
  ~Runner() {
    set_command(kEnd);
    thread_.join();
  }

  void begin() noexcept { set_command(kGo); }
  /// Waits for the end and returns the duration.
  [[nodiscard]] Nanoseconds end() noexcept {
    command_.wait(kGo, std::memory_order_acquire);
    return duration_;
  }

 private:
  enum Command : int { kIdle, kGo, kEnd };

  void set_command(Command command) noexcept {
    command_.store(command, std::memory_order_release);
    command_.notify_all();
  }
  void run(std::size_t cpu) noexcept {
    (void)io::pin_to_cpu(cpu);
    for (;;) {
      command_.wait(kIdle, std::memory_order_acquire);
      if (command_.load(std::memory_order_acquire) == kEnd) return;
      const auto begin = Clock::now();
      for (unsigned i = 0; i < kRounds; ++i) work_();
      duration_ = Clock::now() - begin;
      set_command(kIdle);
    }
  }

  std::function<void()> work_;
  std::atomic<int> command_{kIdle};
  Nanoseconds duration_{0};
  std::thread thread_;  // declared last: it uses the other members
};

/// `items`: the items of one call of a work.
void measure(benchmark::State& state, std::array<std::function<void()>, kWorkers> works,
             std::size_t items) {
  Runner first{0, std::move(works[0])}, second{1, std::move(works[1])};
  const double done = static_cast<double>(items) * kRounds;
  std::vector<double> alone, together, speedups;
  for (auto _ : state) {
    first.begin();
    const double first_alone = done / first.end().count();
    second.begin();
    const double second_alone = done / second.end().count();
    first.begin();
    second.begin();
    const double both = done / first.end().count() + done / second.end().count();
    alone.push_back(1 / first_alone);
    together.push_back(1 / both);
    speedups.push_back(2 * both / (first_alone + second_alone));
  }
  state.counters["ns_1_worker"] = bench::median(alone);
  state.counters["ns_2_workers"] = bench::median(together);
  state.counters["speedup"] = bench::median(speedups);
}

void two_workers(benchmark::State& state, io::Source source) {
  const bench::Traffic traffic{.source = source,
                               .inner_bytes = static_cast<std::size_t>(state.range(0)),
                               .flows = static_cast<std::uint32_t>(state.range(1))};
  const Tunnel tunnel = bench::make_tunnel(proto::SixInFour::Parameters{});
  Snapshot<Tables> tables(std::make_unique<Tables>(std::vector{tunnel}), kWorkers);
  // Adjacent in memory, as in an engine.
  std::array<std::unique_ptr<bench::Way>, kWorkers> ways;
  for (std::size_t i = 0; i < kWorkers; ++i)
    ways[i] = std::make_unique<bench::Way>(traffic, tunnel, tables, i);
  measure(state, {[&] { ways[0]->round(); }, [&] { ways[1]->round(); }}, traffic.batch_packets);
  const auto packets =
      static_cast<std::uint64_t>(state.iterations()) * 2 * kRounds * traffic.batch_packets;
  for (const auto& way : ways) {
    if (way->forwarded() != packets) state.SkipWithError("not every packet was forwarded");
  }
}

void outbound_workers(benchmark::State& state) { two_workers(state, io::Source::tun); }
void inbound_workers(benchmark::State& state) { two_workers(state, io::Source::tunnel); }
BENCHMARK(outbound_workers)
    ->ArgNames({"bytes", "flows"})
    ->ArgsProduct({{64, 1280}, {1, 1'000}})
    ->UseRealTime();
BENCHMARK(inbound_workers)
    ->ArgNames({"bytes", "flows"})
    ->ArgsProduct({{64, 1280}, {1, 1'000}})
    ->UseRealTime();

/// Sums over memory of this thread alone.
void private_work(benchmark::State& state) {
  constexpr std::size_t kPackets = 64, kBytes = 1280;
  std::array<io::LineVector<std::byte>, kWorkers> memory;
  std::array<std::function<void()>, kWorkers> works;
  for (std::size_t i = 0; i < kWorkers; ++i) {
    memory[i].assign(kPackets * kBytes, std::byte{1});
    works[i] = [bytes = std::span{memory[i]}] {
      for (std::size_t packet = 0; packet < kPackets; ++packet)
        benchmark::DoNotOptimize(proto::sum(bytes.subspan(packet * kBytes, kBytes)));
    };
  }
  measure(state, works, kPackets);
}
BENCHMARK(private_work)->UseRealTime();

}  // namespace
}  // namespace culvert
