#include "bench/e2e/measure.h"

#include <net/ethernet.h>
#include <unistd.h>

#include <algorithm>
#include <optional>

#include "bench/e2e/error.h"
#include "bench/e2e/flows.h"
#include "bench/e2e/stop.h"

namespace culvert::bench {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

constexpr milliseconds kEchoInterval{20}, kEchoPatience{900};

CpuMeter meter_for(const Tunnel& tunnel) {
  CpuMeter meter;
  if (tunnel.process(0)) meter.watch(Part::out, tunnel.process(0)->pid());
  if (tunnel.process(1)) meter.watch(Part::in, tunnel.process(1)->pid());
  return meter;
}

/// CPU time of the tunnel's processes per received full-size segment.
std::optional<double> cpu_per_packet(const Tunnel& tunnel, const CpuUse& cpu, double bytes_a_second,
                                     double mss_bytes) {
  if (!tunnel.process(0) || bytes_a_second <= 0) return std::nullopt;
  constexpr double kNanoseconds = 1e9;
  return (cpu.of(Part::out) + cpu.of(Part::in)) * kNanoseconds / (bytes_a_second / mss_bytes);
}

/// Counters at one time, and their rates between two times.
struct Count {
  std::uint64_t received;
  std::uint64_t sent;
  SentCount wire;
  CpuSnapshot cpu;
};

/// The average bytes of a packet on the wire. Fails if that is larger than the MTU allows.
Result<double> wire_bytes_per_packet(const SentCount& before, const SentCount& after) {
  const double packets = static_cast<double>(after.packets - before.packets);
  if (packets <= 0) return 0.0;
  const double mean = static_cast<double>(after.bytes - before.bytes) / packets;
  if (mean <= kWireMtuBytes + ETH_HLEN) return mean;
  return fail(0, "measure", {},
              "packets on the wire have " + std::to_string(static_cast<unsigned>(mean)) +
                  " bytes on average: they are not cut to the MTU");
}

double rate(std::uint64_t before, std::uint64_t after, double seconds) {
  return static_cast<double>(after - before) / seconds;
}

Result<Turn> measure_load(Tunnel& tunnel, const Work& work, nanoseconds duration) {
  auto flows = Flows::start(
      tunnel,
      {.kind = work.kind, .count = work.flows, .datagrams = {.payload_bytes = work.payload_bytes}});
  if (!flows) return Unexpected{flows.error()};
  CpuMeter meter = meter_for(tunnel);
  flows->watch(meter);
  const auto count = [&] {
    return Count{flows->received(), flows->sent(), count_sent(tunnel.end(0), kWire),
                 meter.snapshot()};
  };
  if (auto paused = pause(kWarmUp); !paused) return Unexpected{paused.error()};
  const Count before = count();
  if (auto paused = pause(duration); !paused) return Unexpected{paused.error()};
  const Count after = count();
  if (auto running = tunnel.check_running(); !running) return Unexpected{running.error()};
  if (auto ended = flows->finish(); !ended) return Unexpected{ended.error()};
  const auto wire_bytes = wire_bytes_per_packet(before.wire, after.wire);
  if (!wire_bytes) return Unexpected{wire_bytes.error()};
  const double seconds = std::chrono::duration<double>(after.cpu.time - before.cpu.time).count();
  const double received = rate(before.received, after.received, seconds);
  Turn turn;
  turn.cpu = cpu_use(before.cpu, after.cpu, cpu_count());
  if (work.kind == Work::Kind::tcp) {
    const double mss_bytes = flows->mss_bytes();
    turn.figures = {{std::string{kMbit}, received * 8e-6},
                    {std::string{kRetransmissions}, static_cast<double>(flows->retransmissions())}};
    if (const auto cost = cpu_per_packet(tunnel, turn.cpu, received, mss_bytes))
      turn.figures.push_back({std::string{kCpuPerPacket}, *cost});
  } else {
    turn.figures = {{std::string{kPackets}, received},
                    {std::string{kSent}, rate(before.sent, after.sent, seconds)},
                    {std::string{kNotInOrder}, static_cast<double>(flows->not_in_order())}};
  }
  turn.figures.push_back({std::string{kWireBytes}, *wire_bytes});
  return turn;
}

/// Sends echo requests for a while, with pauses. Adds the round-trip times to `turn`.
Result<void> ask_for(Tunnel& tunnel, nanoseconds duration, Turn& turn) {
  double lost = 0;
  for (const auto end = Clock::now() + duration; Clock::now() < end;) {
    const auto next = Clock::now() + kEchoInterval;
    const auto answer = tunnel.echo().measure(kEchoPatience);
    if (!answer) return Unexpected{answer.error()};
    if (*answer) {
      turn.samples_us.push_back(std::chrono::duration<double, std::micro>(**answer).count());
    } else {
      ++lost;
    }
    const auto left = next - Clock::now();
    if (left <= nanoseconds{0}) continue;
    if (auto paused = pause(left); !paused) return paused;
  }
  if (turn.samples_us.empty()) return fail(0, tunnel.name(), {}, "no request was answered");
  std::sort(turn.samples_us.begin(), turn.samples_us.end());
  turn.figures = {{std::string{kP50}, median(turn.samples_us)},
                  {std::string{kP99}, percentile(turn.samples_us, 0.99)},
                  {std::string{kLost}, lost}};
  return {};
}

Result<Turn> measure_latency(Tunnel& tunnel, const Work& work, nanoseconds duration) {
  std::optional<Flows> flows;
  CpuMeter meter = meter_for(tunnel);
  meter.watch(Part::sender, ::getpid());
  if (work.flows > 0) {
    auto started = Flows::start(tunnel, {.count = work.flows});
    if (!started) return Unexpected{started.error()};
    flows = std::move(*started);
    flows->watch(meter);
    if (auto paused = pause(kWarmUp); !paused) return Unexpected{paused.error()};
  }
  Turn turn;
  const CpuSnapshot before = meter.snapshot();
  if (auto asked = ask_for(tunnel, duration, turn); !asked) return Unexpected{asked.error()};
  turn.cpu = cpu_use(before, meter.snapshot(), cpu_count());
  if (flows) {
    if (auto ended = flows->finish(); !ended) return Unexpected{ended.error()};
  }
  return turn;
}

}  // namespace

unsigned turns_of(const Work& work, std::chrono::seconds duration) {
  const auto longest = work.kind == Work::Kind::latency ? kLatencyTurn : kLoadTurn;
  return static_cast<unsigned>((milliseconds{duration} + longest - milliseconds{1}) / longest);
}

Result<Turn> measure(Tunnel& tunnel, const Work& work, nanoseconds duration) {
  auto turn = work.kind == Work::Kind::latency ? measure_latency(tunnel, work, duration)
                                               : measure_load(tunnel, work, duration);
  if (!turn) return turn;
  turn->tunnel = tunnel.name();
  turn->work = work.name;
  if (auto paused = pause(kDrainTime); !paused) return Unexpected{paused.error()};
  return turn;
}

}  // namespace culvert::bench
