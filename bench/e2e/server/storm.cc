// The work "storm": a storm of solicitations for random targets from random sources, with culvert's
// default limits. Measures its effect on a tunnel and on memory.
#include <cstddef>
#include <vector>

#include "bench/e2e/measure.h"
#include "bench/e2e/results.h"
#include "bench/e2e/server/segment.h"
#include "bench/e2e/server/server.h"
#include "bench/e2e/server/turn.h"
#include "bench/e2e/stop.h"
#include "engine/config.h"

namespace culvert::bench::server {
namespace {

/// The solicitor shares the machine. Twice this rate costs a fifth of TCP even if nobody listens.
constexpr std::uint64_t kPerSecond = 50'000;
/// Solicitations before the first memory sample: then the bounded neighbor tables are full.
constexpr std::uint64_t kFirstSolicitations = 20'000;
constexpr unsigned kTunnels = 3;
/// Probes are flows. The flow table has fixed memory, but a page becomes resident only with its
/// first flow. A small table is resident at once.
constexpr unsigned kFlows = kMinFlows;

/// One rule of each kind, each for one tunnel.
std::string rules() {
  const std::string name = std::string{"ndp."} + kLan;
  std::string text = "[" + name + "]\nrouter = true\n";
  unsigned number = 0;
  for (const char* answer : {"auto", "static", "probe"}) {
    text += "[[" + name + ".rule]]\nprefix = \"" + tunnel_prefix(++number).to_text() +
            "\"\nanswer = \"" + answer + "\"\n";
  }
  return text;
}

/// A process that can send a storm on one of the server's segments.
class Storm {
 public:
  static Result<Storm> prepare(const Broker& broker, const std::string& device) {
    auto state = share<SolicitorState>(1);
    if (!state) return Unexpected{state.error()};
    SolicitorState& shared = (*state)[0];
    auto process = Process::start(broker.lan(), "storm on " + device, Process::Body{[&] {
                                    Solicitor solicitor{.device = device,
                                                        .source = solicitor_address().address,
                                                        .prefixes = {}};
                                    for (unsigned number = 1; number <= kTunnels; ++number)
                                      solicitor.prefixes.push_back(tunnel_prefix(number));
                                    return send_storm(solicitor, kPerSecond, shared);
                                  }});
    if (!process) return Unexpected{process.error()};
    return Storm{std::move(*state), std::move(*process)};
  }

  void set_active(bool active) noexcept { state_[0].hold = !active; }
  [[nodiscard]] std::uint64_t sent() const noexcept { return state_[0].sent; }
  [[nodiscard]] Result<void> check_running() { return process_.check_running(); }

 private:
  Storm(Shared<SolicitorState> state, Process process) noexcept
      : state_(std::move(state)), process_(std::move(process)) {}
  Shared<SolicitorState> state_;
  Process process_;
};

/// TCP during the storm, Mbit/s. `storm`: null for no storm.
Result<double> measure_tcp(Broker& broker, Storm* storm) {
  if (storm != nullptr) storm->set_active(true);
  const auto bytes = measure_turn(broker, {});
  if (storm != nullptr) storm->set_active(false);
  if (!bytes) return Unexpected{bytes.error()};
  if (storm != nullptr) {
    if (auto running = storm->check_running(); !running) return Unexpected{running.error()};
  }
  return *bytes * 8e-6;
}

/// A turn in the storm, with the number of solicitations and advertisements.
Result<double> measure_in_storm(Session& session, Place place, Broker& broker, Storm& storm) {
  const auto answers = [&] { return count_sent(broker.end(0), kLan).packets; };
  const std::uint64_t sent_before = storm.sent(), answered = answers();
  const auto start = Clock::now();
  const auto mbit = measure_tcp(broker, &storm);
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  session.record("solicitations_per_second", place,
                 static_cast<double>(storm.sent() - sent_before) / seconds);
  session.record("answers_per_second", place, static_cast<double>(answers() - answered) / seconds);
  return mbit;
}

Result<void> fill(Broker& broker, Storm& storm) {
  storm.set_active(true);
  while (storm.sent() < kFirstSolicitations) {
    if (auto paused = pause(std::chrono::milliseconds{5}); !paused) return paused;
    if (auto running = storm.check_running(); !running) return running;
  }
  storm.set_active(false);
  const auto moved = measure_turn(broker, {});
  return moved ? Result<void>{} : Result<void>{Unexpected{moved.error()}};
}

/// The growth from the median of the first half to that of the second half. Medians ignore memory
/// that the engine uses only for a moment.
double growth(const std::vector<double>& values) {
  const auto half = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  if (half == values.begin()) return 0;
  return median({half, values.end()}) - median({values.begin(), half});
}

}  // namespace

Result<void> measure_storm(Session& session) {
  auto broker = Broker::open({.name = "server",
                              .tunnels = kTunnels,
                              .options = session.plan().options,
                              .flows = kFlows,
                              .more = rules(),
                              .has_lan = true});
  if (!broker) return Unexpected{broker.error()};
  auto storm = Storm::prepare(**broker, kLan);
  if (!storm) return Unexpected{storm.error()};
  auto deaf = Storm::prepare(**broker, kDeafLan);
  if (!deaf) return Unexpected{deaf.error()};
  if (auto filled = fill(**broker, *storm); !filled) return filled;
  const std::uint64_t first = storm->sent();
  const auto resident = [&] { return static_cast<double>((*broker)->server().resident_kib()); };
  std::vector<double> kib;  // after each turn
  const auto sent = [&] { return storm->sent() - first; };
  for (Place place; sent() < session.plan().counts.solicitations; ++place.turn) {
    session.show_step(place, "turn " + std::to_string(place.turn));
    const auto quiet_mbit = measure_tcp(**broker, nullptr);
    if (!quiet_mbit) return Unexpected{quiet_mbit.error()};
    const auto deaf_mbit = measure_tcp(**broker, &*deaf);
    if (!deaf_mbit) return Unexpected{deaf_mbit.error()};
    const auto storm_mbit = measure_in_storm(session, place, **broker, *storm);
    if (!storm_mbit) return Unexpected{storm_mbit.error()};
    session.record("quiet_mbit_per_second", place, *quiet_mbit);
    session.record("deaf_mbit_per_second", place, *deaf_mbit);
    session.record("storm_mbit_per_second", place, *storm_mbit);
    kib.push_back(resident());
  }
  session.record("solicitations", {}, static_cast<double>(sent()));
  session.record("memory_grown_kib", {}, growth(kib));
  return {};
}

}  // namespace culvert::bench::server
