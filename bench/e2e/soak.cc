#include "bench/e2e/soak.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <random>

#include "bench/e2e/disturbance.h"
#include "bench/e2e/error.h"
#include "bench/e2e/flows.h"
#include "bench/e2e/stop.h"
#include "bench/e2e/text.h"
#include "bench/e2e/tunnel.h"
#include "tools/culvert/config/parse_value.h"
#include "tools/culvert/daemon/control_socket.h"

namespace culvert::bench {
namespace {

using Json = nlohmann::json;
using std::chrono::milliseconds;

constexpr std::chrono::seconds kSampleInterval{10};
constexpr std::size_t kPayloadBytes = 64;
/// About 100,000 packets/s. Without this limit the device's queue is full, almost all TCP
/// acknowledgments are lost there, and the connection starves.
constexpr std::chrono::microseconds kUdpInterval{500};
/// Memory at the start: of a process with one worker, and of each further worker with its buffers.
constexpr std::uint64_t kMemoryLimitKib = 32 * 1024, kWorkerLimitKib = 16 * 1024;
constexpr std::uint64_t kSpreadLimitKib = 1024;

/// The child has its own /run; /proc/PID/root leads to it.
Result<std::string> show(const Process& process) {
  return program::send_request("/proc/" + std::to_string(process.pid()) + "/root" +
                                   program::default_control_path(kTunnelDevice),
                               R"({"request":"show"})");
}

std::uint64_t sum_of(const Json& counters, std::initializer_list<const char*> names) {
  std::uint64_t sum = 0;
  for (const char* name : names) sum += counters.value(name, std::uint64_t{0});
  return sum;
}

/// Samples memory until the time is over.
Result<void> watch(Tunnel& tunnel, std::chrono::seconds duration, Disturbance* disturbance,
                   Soak& soak) {
  const auto end = Clock::now() + duration;
  auto sample = Clock::now() + std::min<Clock::duration>(kSampleInterval, duration / 2);
  while (Clock::now() < end) {
    if (auto paused = pause(milliseconds{100}); !paused) return paused;
    if (auto running = tunnel.check_running(); !running) return running;
    if (disturbance != nullptr) {
      if (auto disturbed = disturbance->update(Clock::now()); !disturbed) return disturbed;
    }
    if (Clock::now() < sample) continue;
    sample += kSampleInterval;
    for (std::size_t i = 0; i < kEnds; ++i)
      soak.ends[i].resident_kib.push_back(tunnel.process(i)->resident_kib());
  }
  return disturbance != nullptr ? disturbance->end() : Result<void>{};
}

Result<void> read_counters(Tunnel& tunnel, Soak& soak) {
  for (std::size_t end = 0; end < kEnds; ++end) {
    const auto text = show(*tunnel.process(end));
    if (!text) return Unexpected{text.error()};
    count_packets(*text, soak.ends[end]);
  }
  return {};
}

Result<void> load_and_watch(Tunnel& tunnel, bool disturb, Soak& soak) {
  auto tcp = Flows::start(tunnel, {.kind = Work::Kind::tcp, .verify = true});
  if (!tcp) return Unexpected{tcp.error()};
  auto udp =
      Flows::start(tunnel, {.kind = Work::Kind::udp,
                            .datagrams = {.payload_bytes = kPayloadBytes, .interval = kUdpInterval},
                            .sender = 1});
  if (!udp) return Unexpected{udp.error()};
  std::optional<Disturbance> disturbance;
  if (disturb) disturbance.emplace(tunnel, Clock::now());
  const auto start = Clock::now();
  if (auto watched = watch(tunnel, soak.duration, disturbance ? &*disturbance : nullptr, soak);
      !watched)
    return watched;
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  soak.disturbances = disturbance ? disturbance->count() : 0;
  soak.tcp_mbit = static_cast<double>(tcp->received()) * 8e-6 / seconds;
  soak.udp_packets_per_second = static_cast<double>(udp->received()) / seconds;
  for (Flows* flows : {&*udp, &*tcp}) {
    if (auto ended = flows->finish(); !ended) return ended;
  }
  soak.retransmissions = tcp->retransmissions();
  soak.is_equal = tcp->is_equal();
  return {};
}

std::string memory_line(char name, const SoakEnd& end) {
  const auto [low, high] = std::minmax_element(end.resident_kib.begin(), end.resident_kib.end());
  if (low == end.resident_kib.end()) return {};
  const auto mib = [](std::uint64_t kib) {
    return with_commas(static_cast<double>(kib) / 1024, 1);
  };
  return std::string{"memory of "} + name + ": " + mib(end.resident_at_start_kib) +
         " MiB at start, under load " + mib(*low) + " to " + mib(*high) + " MiB (" +
         std::to_string(end.resident_kib.size()) + " samples), max - min " +
         std::to_string(*high - *low) + " KiB\n";
}

std::string counters_line(char name, const SoakEnd& end) {
  const auto text = [](std::uint64_t count) { return with_commas(static_cast<double>(count)); };
  const auto held = static_cast<double>(end.taken) - static_cast<double>(end.forwarded) -
                    static_cast<double>(end.dropped);
  return std::string{"counters of "} + name + ": " + text(end.taken) +
         " taken = " + text(end.forwarded) + " forwarded + " + text(end.dropped) + " dropped + " +
         with_commas(held) + " held; " + (end.reasons.empty() ? "no drops" : end.reasons) + "; " +
         text(end.receive_queue_full) + " more lost in a full receive buffer\n";
}

/// The number of workers in the plan, which has been checked.
unsigned workers_of(const TunnelPlan& plan) {
  for (const auto& [name, value] : plan.options) {
    if (name != "workers") continue;
    if (const auto workers = program::parse_number(value, 1, kMaxWorkers)) return *workers;
  }
  return 1;
}

}  // namespace

bool Soak::has_passed() const {
  const std::uint64_t limit = kMemoryLimitKib + (workers - 1) * kWorkerLimitKib;
  return is_equal && std::all_of(ends.begin(), ends.end(), [limit](const SoakEnd& end) {
           const auto [low, high] =
               std::minmax_element(end.resident_kib.begin(), end.resident_kib.end());
           return low != end.resident_kib.end() && *high - *low <= kSpreadLimitKib &&
                  end.resident_at_start_kib <= limit && end.taken > 0 &&
                  end.taken == end.forwarded + end.dropped;
         });
}

void count_packets(const std::string& show_json, SoakEnd& end) {
  const Json report = Json::parse(show_json, nullptr, false);
  if (report.is_discarded() || !report.contains("devices") || report["devices"].empty()) return;
  const Json& device = report["devices"][0];
  Json reasons = Json::object();
  const auto add = [&](const Json& counters) {
    end.taken += sum_of(counters, {"in_received", "out_received", "errors_received"});
    end.forwarded += sum_of(counters, {"in_packets", "out_packets", "errors_relayed"});
    const Json drops = counters.value("drops", Json::object());
    for (const auto& [reason, count] : drops.items()) {
      if (!count.is_number_unsigned() || count == 0) continue;
      end.dropped += count.get<std::uint64_t>();
      reasons[reason] = reasons.value(reason, std::uint64_t{0}) + count.get<std::uint64_t>();
    }
  };
  add(device);
  for (const Json& tunnel : device.value("tunnels", Json::array())) add(tunnel);
  end.receive_queue_full = device.value("receive_queue_full", std::uint64_t{0});
  if (!reasons.empty()) end.reasons = reasons.dump();
}

Result<Soak> soak(const TunnelPlan& plan, std::chrono::seconds duration, bool disturb) {
  if (plan.kind != TunnelPlan::Kind::culvert)
    return fail(0, "soak", plan.name, "is for culvert: give --tunnels culvert-sit or culvert-gre");
  auto tunnel = Tunnel::open(plan);
  if (!tunnel) return Unexpected{tunnel.error()};
  Soak soak{.tunnel = plan.name, .workers = workers_of(plan), .duration = duration, .ends = {}};
  for (std::size_t i = 0; i < kEnds; ++i)
    soak.ends[i].resident_at_start_kib = (*tunnel)->process(i)->resident_kib();
  if (auto loaded = load_and_watch(**tunnel, disturb, soak); !loaded)
    return Unexpected{loaded.error()};
  constexpr std::chrono::seconds kDrain{1};  // packets in flight arrive
  if (auto paused = pause(kDrain); !paused) return Unexpected{paused.error()};
  if (auto read = read_counters(**tunnel, soak); !read) return Unexpected{read.error()};
  return soak;
}

std::string to_text(const Soak& soak) {
  std::string text = soak.tunnel + ", " + std::to_string(soak.duration.count()) + " s: TCP " +
                     with_commas(soak.tcp_mbit) + " Mbit/s, " +
                     with_commas(static_cast<double>(soak.retransmissions)) + " retransmissions, " +
                     (soak.is_equal ? "every byte right" : "BYTES ARE WRONG") + "; UDP " +
                     with_commas(soak.udp_packets_per_second) + " packets/s the other way";
  if (soak.disturbances > 0)
    text += "; the wire was disturbed " + std::to_string(soak.disturbances) + " times";
  text += "\n";
  for (std::size_t end = 0; end < kEnds; ++end) text += memory_line(kEndNames[end], soak.ends[end]);
  for (std::size_t end = 0; end < kEnds; ++end)
    text += counters_line(kEndNames[end], soak.ends[end]);
  return text + (soak.has_passed() ? "passed\n" : "FAILED\n");
}

}  // namespace culvert::bench
