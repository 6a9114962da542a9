// What the works of a run share: the plan, where their samples go, and the line on stderr. One
// thread.
#pragma once

#include <string>
#include <string_view>

#include "bench/e2e/progress.h"
#include "bench/e2e/server/report.h"

namespace culvert::bench::server {

/// When something was measured: both from 1.
struct Place {
  unsigned round = 1;
  unsigned turn = 1;
};

class Session {
 public:
  /// `work`: the one that is being done.
  Session(Report& report, Progress& progress, std::string_view work)
      : report_(report), progress_(progress), work_(work) {}

  [[nodiscard]] const Plan& plan() const noexcept { return report_.plan; }

  /// Does it for each turn of a second of each round, until it fails.
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

  /// Does it once in each round, until it fails.
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
  /// Something is not on this machine.
  void leave_out(const std::string& what, const std::string& reason) {
    report_.left_out.push_back({work_, what, reason});
    progress_.note(work_ + ": without " + what + ": " + reason);
  }
  /// What is being done now.
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
