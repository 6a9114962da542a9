// culvert bench: measures culvert and its peers on this machine, in namespaces of its own.
#include "bench/e2e/bench.h"

#include "bench/e2e/report.h"
#include "bench/e2e/server/server.h"
#include "bench/e2e/soak.h"
#include "bench/e2e/stop.h"
#include "tools/culvert/commands.h"

namespace culvert::tool {
namespace {

constexpr int kSignalStatus = 128;  // a shell's way to say that a signal ended it

int fail(const Error& error) {
  const int number = bench::stopped_by();
  return complain(error.message(), number != 0 ? kSignalStatus + number : kSystemError);
}

int measure(const bench::Plan& plan, const BenchArguments& arguments) {
  const auto report = bench::run(plan);
  if (!report) return fail(report.error());
  print(arguments.json  ? bench::to_json(*report)
        : arguments.csv ? bench::to_csv(*report)
                        : bench::to_table(*report));
  return report->failed.empty() ? kOk : kSystemError;
}

int measure_server(const bench::server::Plan& plan, const BenchArguments& arguments) {
  const auto report = bench::server::run(plan);
  if (!report) return fail(report.error());
  print(arguments.json  ? bench::server::to_json(*report)
        : arguments.csv ? bench::server::to_csv(*report)
                        : bench::server::to_table(*report));
  return report->failed.empty() ? kOk : kSystemError;
}

/// One tunnel after the other.
int soak(const bench::Plan& plan, const BenchArguments& arguments) {
  bool has_passed = true;
  for (const bench::TunnelPlan& tunnel : plan.tunnels) {
    const auto soaked =
        bench::soak(tunnel, std::chrono::seconds{arguments.soak_seconds}, arguments.disturb);
    if (!soaked) return fail(soaked.error());
    print(bench::to_text(*soaked));
    has_passed = has_passed && soaked->has_passed();
  }
  return has_passed ? kOk : kSystemError;
}

/// Does what is planned.
template <class Plan>
int start(const BenchArguments& arguments, const Result<Plan>& plan,
          int (&carry_out)(const Plan&, const BenchArguments&)) {
  if (!plan) return complain(plan.error().message(), kUsageError);
  bench::catch_stop_signals();
  if (auto checked = bench::check_machine(); !checked) return fail(checked.error());
  return carry_out(*plan, arguments);
}

}  // namespace

int bench(const BenchArguments& arguments) {
  return arguments.server
             ? start(arguments, bench::server::make_plan(arguments.what, arguments.counts),
                     measure_server)
             : start(arguments, bench::make_plan(arguments.what),
                     arguments.soak_seconds > 0 ? soak : measure);
}

}  // namespace culvert::tool
