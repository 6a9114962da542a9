// culvert-bench: measures culvert and other tunnels side by side on this machine, in network
// namespaces that it creates. This file has the command line (CLI11).
#include <CLI/CLI.hpp>
#include <csignal>
#include <map>

#include "bench/e2e/bench.h"
#include "bench/e2e/plan.h"
#include "bench/e2e/report.h"
#include "bench/e2e/server/plan.h"
#include "bench/e2e/server/server.h"
#include "bench/e2e/soak.h"
#include "bench/e2e/stop.h"
#include "tools/culvert/cli/parse.h"
#include "tools/culvert/cli/print.h"
#include "tools/culvert/config/option_table.h"

namespace culvert::program {

const std::string_view kProgramName = "culvert-bench";

namespace {

using program::Option;

struct BenchArguments {
  bench::Arguments plan;  ///< arguments of make_plan()
  bool json = false;
  bool csv = false;
  bool server = false;
  bench::server::Counts counts;  ///< sizes of --server
  unsigned soak_seconds = 0;     ///< 0: measure
  bool disturb = false;          ///< disturb the wire during --soak
};

constexpr const char* kBenchNotes = R"(
Each tunnel has two network namespaces, joined by a veth pair without offloads, so that packets on
the wire are MTU-sized as on a cable. Both endpoints, the sender and the receiver share this
machine's CPUs. All tunnels are up all the time and are measured in short alternating turns. Figures
are medians of the turns. Nothing outside the namespaces is changed, and nothing is left behind.
Needs root.

Tunnels:
  culvert       culvert at both endpoints, for each --mode; also culvert-sit, culvert-ipip,
                culvert-gre
  single        the reference: one packet per system call, with the same sockets, no offloads
  bare          the upper limit: culvert's system calls without any checks (not by default)
  socat         TUN to a raw socket for protocol 41, or 4 for IPv4
  vxlan         the kernel's VXLAN
  kernel        the kernel's sit, ipip and gre; also kernel-sit, kernel-ipip, kernel-gre
A tunnel that this machine does not have is left out and named. All tunnels of a run carry the same
IP version, so that their figures can be compared: IPv6, or IPv4 if one of them is ipip. sit and
bare carry IPv6 only.

Works:
  tcp1, tcp4               one and four connections: the received rate
  udp64, udp512, udp1280   datagrams of this size, sent as fast as one CPU can: the received rate
  latency                  ICMP echo every 20 ms on an idle tunnel
  latency-loaded           the same while one TCP connection runs

Works with --server; each figure is shown with its target:
  ndp        answered neighbor solicitations per second, culvert and ndppd: 64 outstanding, and one
  storm      --solicitations for random targets: memory, and TCP through a tunnel at the same time
  load       a file of --count tunnels: time until it is up, and memory
  tunnels    UDP spread over all tunnels and TCP through one of them, compared with a single tunnel
  add        tunnels are added and removed while datagrams pass through all others: lost packets
  flows      UDP of 1,000 and of 1,000,000 flows

Options of `culvert run` that are listed here are passed to culvert. An option with several values,
separated by commas, creates a tunnel for each value. "out 92%" in a table means that the busiest
thread was in the tunnel process at the sender's endpoint and used 92 % of a CPU. --json has the
share of every part.

--soak runs TCP in one direction, comparing every byte, and 64-byte UDP in the other. It passes if
packets in = out + dropped, memory stays constant, and every byte is correct.

Examples:
  culvert-bench
  culvert-bench --work tcp1,latency --tunnels culvert-sit,socat --rounds 5
  culvert-bench --tunnels culvert-gre --workers 1,2 --soak 600 --disturb
  culvert-bench --tunnels culvert-sit,vxlan --io uring,epoll --workers 1,2 --json
  culvert-bench --server
  culvert-bench --server --work tunnels,add --count 2000 --rounds 5
)";

constexpr int kSignalStatus = 128;  // a shell reports signal n as exit status 128 + n

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

/// Soaks one tunnel after the other.
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

/// Checks the plan and the machine, then runs the plan.
template <class Plan>
int start(const BenchArguments& arguments, const Result<Plan>& plan,
          int (&run_plan)(const Plan&, const BenchArguments&)) {
  if (!plan) return complain(plan.error().message(), kUsageError);
  bench::catch_stop_signals();
  if (auto checked = bench::check_machine(); !checked) return fail(checked.error());
  return run_plan(*plan, arguments);
}

/// The values of --workers 1,2 and similar options.
using OptionLists = std::map<std::string, std::vector<std::string>>;

void add_options(CLI::App& bench, BenchArguments& arguments, OptionLists& options) {
  const auto add_list = [&bench](const std::string& name, std::vector<std::string>& values,
                                 const std::string& argument, const std::string& help) {
    bench.add_option(name, values, help)->delimiter(',')->option_text(argument + ",...");
  };
  bench::Arguments& plan = arguments.plan;
  add_list("--tunnels", plan.tunnels, "NAME", "default culvert,single,socat,vxlan,kernel");
  add_list("--work", plan.works, "NAME", "default all");
  add_list("--mode", plan.modes, "MODE", "modes of culvert; default sit,gre");
  bench.add_option("--rounds", plan.rounds, "number of rounds; default 3")->option_text("N");
  bench.add_option("--seconds", plan.seconds, "seconds per work, tunnel and round; default 2")
      ->option_text("N");
  for (const Option& option : program::options()) {
    if (option.kind != Option::Kind::option) continue;
    const std::string name{option.name};
    add_list(program::option_name(name), options[name], std::string{option.argument},
             "as of `culvert run`");
  }
  CLI::Option* json = bench.add_flag("--json", arguments.json, "JSON: every turn, and medians");
  bench.add_flag("--csv", arguments.csv, "the same as CSV, one figure per line")->excludes(json);
  CLI::Option* soak =
      bench.add_option("--soak", arguments.soak_seconds, "instead: full load for this time")
          ->option_text("SECONDS")
          ->check(CLI::Range(1u, 86'400u));
  CLI::Option* server =
      bench.add_flag("--server", arguments.server, "instead: measure a server with many tunnels")
          ->excludes("--tunnels")
          ->excludes("--mode")
          ->excludes(soak);
  bench.add_option("--count", arguments.counts.tunnels, "tunnels of the server; default 10,000")
      ->option_text("N")
      ->needs(server);
  bench
      .add_option("--solicitations", arguments.counts.solicitations,
                  "solicitations of a storm; default 1,000,000")
      ->option_text("N")
      ->needs(server);
  bench.add_flag("--disturb", arguments.disturb, "interrupt the wire and change its MTU meanwhile")
      ->needs(soak);
  bench.allow_extras();
  bench.footer(kBenchNotes);
}

int run_command(int argc, char** argv) {
  CLI::App app{"culvert-bench: measures and compares tunnels on this machine", "culvert-bench"};
  app.set_version_flag("--version", std::string{"culvert-bench "} + CULVERT_VERSION);
  BenchArguments arguments;
  OptionLists options;
  add_options(app, arguments, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {  // --help, --version
    return print_requested(app, success);
  } catch (const CLI::ParseError& error) {
    return complain_parse(app, error);
  }
  if (const auto unknown = app.remaining(); !unknown.empty())
    return complain_unknown(app, unknown.front());
  for (const auto& [name, values] : options) {
    if (!values.empty()) arguments.plan.options.push_back({name, values});
  }
  return arguments.server
             ? start(arguments, bench::server::make_plan(arguments.plan, arguments.counts),
                     measure_server)
             : start(arguments, bench::make_plan(arguments.plan),
                     arguments.soak_seconds > 0 ? soak : measure);
}

}  // namespace
}  // namespace culvert::program

int main(int argc, char** argv) {
  culvert::program::keep_standard_descriptors();
  std::signal(SIGPIPE, SIG_IGN);
  return culvert::program::finish_output(culvert::program::run_command(argc, argv));
}
