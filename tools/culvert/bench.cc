// culvert bench: measures culvert and its peers on this machine, in namespaces of its own.
#include "tools/culvert/bench/bench.h"

#include "tools/culvert/bench/report.h"
#include "tools/culvert/bench/stop.h"
#include "tools/culvert/commands.h"

namespace culvert::tool {
namespace {

constexpr int kSignalStatus = 128;  // a shell's way to say that a signal ended it

int fail(const Error& error) {
  const int number = bench::stopped_by();
  return complain(error.message(), number != 0 ? kSignalStatus + number : kSystemError);
}

}  // namespace

int bench(const BenchArguments& arguments) {
  const auto plan = bench::make_plan(arguments.what);
  if (!plan) return complain(plan.error().message(), kUsageError);
  bench::catch_stop_signals();
  if (auto checked = bench::check_machine(); !checked) return fail(checked.error());
  const auto report = bench::run(*plan);
  if (!report) return fail(report.error());
  print(arguments.json  ? bench::to_json(*report)
        : arguments.csv ? bench::to_csv(*report)
                        : bench::to_table(*report));
  return report->failed.empty() ? kOk : kSystemError;
}

}  // namespace culvert::tool
