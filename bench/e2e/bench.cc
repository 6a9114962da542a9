#include "bench/e2e/bench.h"

#include <unistd.h>

#include <cerrno>
#include <memory>
#include <vector>

#include "bench/e2e/culvert_program.h"
#include "bench/e2e/error.h"
#include "bench/e2e/measure.h"
#include "bench/e2e/progress.h"
#include "bench/e2e/report.h"
#include "bench/e2e/stop.h"
#include "bench/e2e/tunnel.h"

namespace culvert::bench {
namespace {

using Tunnels = std::vector<std::unique_ptr<Tunnel>>;

unsigned count_steps(const Plan& plan) {
  unsigned steps = 0;
  for (const Work& work : plan.works) steps += turns_of(work, std::chrono::seconds{plan.seconds});
  return steps * plan.rounds * static_cast<unsigned>(plan.tunnels.size());
}

/// Sets up the tunnels of the plan. Fails if a culvert tunnel fails; others may be missing.
Result<Tunnels> open_tunnels(Report& report, Progress& progress) {
  Tunnels tunnels;
  for (const TunnelPlan& plan : report.plan.tunnels) {
    progress.show_step("opening " + plan.name);
    auto tunnel = Tunnel::open(plan);
    if (tunnel) {
      tunnels.push_back(std::move(*tunnel));
      continue;
    }
    const Error& error = tunnel.error();
    if (plan.kind == TunnelPlan::Kind::culvert || stopped_by() != 0) return Unexpected{error};
    const bool is_missing = error.code == EOPNOTSUPP;
    const std::string reason = is_missing ? error.advice : error.message();
    (is_missing ? report.left_out : report.failed).push_back({plan.name, {}, reason});
    progress.note(plan.name + ": " + reason);
  }
  return tunnels;
}

struct Place {
  unsigned round;
  unsigned turn;
};

/// Measures one turn through each tunnel.
Result<void> take_turns(Tunnels& tunnels, const Work& work, Place place,
                        std::chrono::nanoseconds duration, Report& report, Progress& progress) {
  for (auto& tunnel : tunnels) {
    progress.show_step("round " + std::to_string(place.round) + " of " +
                       std::to_string(report.plan.rounds) + ", " + std::string{work.name} + ", " +
                       tunnel->name());
    auto turn = measure(*tunnel, work, duration);
    progress.step_done();
    if (turn) {
      turn->round = place.round;
      turn->turn = place.turn;
      report.turns.push_back(std::move(*turn));
      continue;
    }
    if (stopped_by() != 0) return Unexpected{turn.error()};
    const std::string reason = turn.error().message();
    report.failed.push_back({tunnel->name(), std::string{work.name}, reason});
    progress.note(tunnel->name() + ", " + std::string{work.name} + ": " + reason);
  }
  return {};
}

Result<void> run_work(Tunnels& tunnels, const Work& work, unsigned round, Report& report,
                      Progress& progress) {
  const std::chrono::seconds duration{report.plan.seconds};
  const unsigned turns = turns_of(work, duration);
  const std::size_t first = report.turns.size();
  for (unsigned turn = 1; turn <= turns; ++turn) {
    auto done = take_turns(tunnels, work, {round, turn}, std::chrono::nanoseconds{duration} / turns,
                           report, progress);
    if (!done) return done;
  }
  progress.milestone("round " + std::to_string(round) + " of " +
                     std::to_string(report.plan.rounds) + ", " +
                     one_line(std::span{report.turns}.subspan(first), work));
  return {};
}

}  // namespace

Result<void> check_machine() {
  if (::geteuid() != 0) {
    return fail(0, "bench", {}, "needs root: it makes network namespaces and devices (try sudo)");
  }
  if (::access("/dev/net/tun", R_OK | W_OK) != 0)
    return fail(errno, "open", "/dev/net/tun", "tunnels in user space need it");
  return check_culvert_program();
}

Result<Report> run(const Plan& plan) {
  Report report;
  report.plan = plan;
  report.machine = Machine::look();
  Progress progress{count_steps(plan)};
  auto tunnels = open_tunnels(report, progress);
  if (!tunnels) return Unexpected{tunnels.error()};
  for (unsigned round = 1; round <= plan.rounds; ++round) {
    for (const Work& work : plan.works) {
      if (auto done = run_work(*tunnels, work, round, report, progress); !done)
        return Unexpected{done.error()};
    }
  }
  return report;
}

}  // namespace culvert::bench
