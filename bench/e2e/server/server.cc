#include "bench/e2e/server/server.h"

#include "bench/e2e/stop.h"

namespace culvert::bench::server {

Result<Report> run(const Plan& plan) {
  Report report{
      .plan = plan, .machine = Machine::look(), .samples = {}, .left_out = {}, .failed = {}};
  Progress progress{static_cast<unsigned>(plan.works.size()) * plan.rounds * plan.seconds};
  for (const WorkKind& work : plan.works) {
    Session session{report, progress, work.name};
    session.show_step("opening");
    const auto done = work.measure(session);
    if (done) {
      progress.milestone(one_line(report, work));
      continue;
    }
    if (stopped_by() != 0) return Unexpected{done.error()};
    report.failed.push_back({std::string{work.name}, {}, done.error().message()});
    progress.note(std::string{work.name} + ": " + done.error().message());
  }
  return report;
}

}  // namespace culvert::bench::server
