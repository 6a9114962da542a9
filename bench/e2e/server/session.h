// Session: the plan, the report and the progress line, as the works of a run share them. One
// thread.
#pragma once

#include <string>
#include <string_view>

#include "bench/e2e/progress.h"
#include "bench/e2e/server/report.h"

namespace culvert::bench::server {

/// The round and turn of a sample, both from 1.
struct Place {
  unsigned round = 1;
  unsigned turn = 1;
};

class Session {
 public:
  /// `work`: the name of the current work.
  Session(Report& report, Progress& progress, std::string_view work)
      : report_(report), progress_(progress), work_(work) {}

  [[nodiscard]] const Plan& plan() const noexcept { return report_.plan; }

  /// Calls `body(place)` for each turn of each round, until it fails. A turn is a second.
  template <class Body>
  Result<void> for_each_turn(Body body) {
    for (unsigned round = 1; round <= plan().rounds; ++round) {
      for (unsigned turn = 1; turn <= plan().seconds; ++turn) {
        if (auto done = body(Place{round, turn}); !done) return done;
        step_done();
      }
    }
    return {};
  }

  /// Calls `body(place)` once per round, until it fails.
  template <class Body>
  Result<void> for_each_round(Body body) {
    for (unsigned round = 1; round <= plan().rounds; ++round) {
      if (auto done = body(Place{round, 1}); !done) return done;
      step_done(plan().seconds);
    }
    return {};
  }

  void record(std::string_view figure, Place place, double value) {
    report_.samples.push_back({work_, std::string{figure}, place.round, place.turn, value});
  }
  /// Notes that this machine cannot measure a part of the work.
  void leave_out(const std::string& what, const std::string& reason) {
    report_.left_out.push_back({work_, what, reason});
    progress_.note(work_ + ": without " + what + ": " + reason);
  }
  /// Shows the current step.
  void show_step(const std::string& what) { progress_.show_step(work_ + ", " + what); }
  void show_step(Place place, const std::string& what) {
    show_step("round " + std::to_string(place.round) + " of " + std::to_string(plan().rounds) +
              ", " + what);
  }

 private:
  void step_done(unsigned steps = 1) {
    for (; steps > 0; --steps) progress_.step_done();
  }

  Report& report_;
  Progress& progress_;
  std::string work_;
};

}  // namespace culvert::bench::server
