// culvert-bench: measures culvert beside other tunnels on this machine, in namespaces of its own.
// The command line by CLI11.
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
  bench::Arguments what;
  bool json = false;
  bool csv = false;
  bool server = false;
  bench::server::Counts counts;  ///< of what the server has
  unsigned soak_seconds = 0;     ///< 0: measure
  bool disturb = false;          ///< while it soaks
};

constexpr const char* kBenchNotes = R"(
Each tunnel has two network namespaces of its own, joined by a veth pair without offloads, so that
packets on the wire are MTU-sized as on a cable; both ends, the sender and the receiver share this
machine's CPUs. All are up all the time, and are measured in short turns that alternate: the figures
are medians. Nothing stays when it ends, and nothing outside the namespaces is touched. Needs root.

Tunnels:
  culvert       this program at both ends, for each --mode; also culvert-sit, culvert-gre
  single        the reference: one packet a system call, through the same sockets, no offloads
  bare          the limit: the system calls of culvert and no more, without a check (not by default)
  socat         TUN to a raw socket for protocol 41
  vxlan         the kernel's VXLAN
  kernel        the kernel's own sit and gre; also kernel-sit, kernel-gre
What is not on this machine is left out, and named.

Works:
  tcp1, tcp4               one and four connections, what arrives
  udp64, udp512, udp1280   datagrams of so many bytes as fast as one CPU can, what arrives
  latency                  ICMPv6 echo, one each 20 ms, on an idle tunnel
  latency-loaded           the same while one TCP connection runs

Works with --server, each figure beside what is asked of it:
  ndp        answers to neighbor solicitations a second, against ndppd: 64 outstanding, and one
  storm      --solicitations for random targets: memory, and TCP through a tunnel meanwhile
  load       a file of --count tunnels: time until it is up, and memory
  tunnels    UDP spread over all tunnels and TCP through one of them, against a single tunnel
  add        tunnels added and removed while datagrams flow through all: packets lost
  flows      UDP of 1,000 and of 1,000,000 flows

Options of `culvert run` that are named here go to culvert; one with several values, separated by
commas, makes a tunnel of each. "out 92%" in a table: the busiest thread was in culvert (or its like)
at the sender's end and had 92 % of a CPU; --json has the share of every part.

--soak moves TCP one way, every byte compared, and 64-byte UDP the other. It passes if packets in =
out + dropped, memory stays where it was, and every byte is right.

Examples:
  culvert-bench
  culvert-bench --work tcp1,latency --tunnels culvert-sit,socat --rounds 5
  culvert-bench --tunnels culvert-gre --workers 1,2 --soak 600 --disturb
  culvert-bench --tunnels culvert-sit,vxlan --io uring,epoll --workers 1,2 --json
  culvert-bench --server
  culvert-bench --server --work tunnels,add --count 2000 --rounds 5
)";

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

/// What --workers 1,2 and its like say.
using OptionLists = std::map<std::string, std::vector<std::string>>;

void add_options(CLI::App& bench, BenchArguments& arguments, OptionLists& options) {
  const auto add_list = [&bench](const std::string& name, std::vector<std::string>& values,
                                 const std::string& argument, const std::string& help) {
    bench.add_option(name, values, help)->delimiter(',')->option_text(argument + ",...");
  };
  bench::Arguments& what = arguments.what;
  add_list("--tunnels", what.tunnels, "NAME", "default culvert,single,socat,vxlan,kernel");
  add_list("--work", what.works, "NAME", "default all of it");
  add_list("--mode", what.modes, "MODE", "of culvert; default sit,gre");
  bench.add_option("--rounds", what.rounds, "how often all of it is done; default 3")
      ->option_text("N");
  bench
      .add_option("--seconds", what.seconds,
                  "of each work through each tunnel in each round; default 2")
      ->option_text("N");
  for (const Option& option : program::options()) {
    if (option.kind != Option::Kind::option) continue;
    const std::string name{option.name};
    add_list(program::option_name(name), options[name], std::string{option.argument},
             "as of `culvert run`");
  }
  CLI::Option* json = bench.add_flag("--json", arguments.json, "JSON: every turn, and medians");
  bench.add_flag("--csv", arguments.csv, "the same as CSV, one figure a line")->excludes(json);
  CLI::Option* soak =
      bench.add_option("--soak", arguments.soak_seconds, "instead: full load for so long")
          ->option_text("SECONDS")
          ->check(CLI::Range(1u, 86'400u));
  CLI::Option* server =
      bench.add_flag("--server", arguments.server, "instead: what a server of many tunnels does")
          ->excludes("--tunnels")
          ->excludes("--mode")
          ->excludes(soak);
  bench.add_option("--count", arguments.counts.tunnels, "tunnels of the server; default 10,000")
      ->option_text("N")
      ->needs(server);
  bench
      .add_option("--solicitations", arguments.counts.solicitations,
                  "in a storm; default 1,000,000")
      ->option_text("N")
      ->needs(server);
  bench.add_flag("--disturb", arguments.disturb, "meanwhile the wire flaps and changes its MTU")
      ->needs(soak);
  bench.allow_extras();
  bench.footer(kBenchNotes);
}

int run_command(int argc, char** argv) {
  CLI::App app{"culvert-bench: measures tunnels against each other on this machine",
               "culvert-bench"};
  app.set_version_flag("--version", std::string{"culvert-bench "} + CULVERT_VERSION);
  BenchArguments arguments;
  OptionLists options;
  add_options(app, arguments, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& asked) {  // --help, --version
    return app.exit(asked);
  } catch (const CLI::ParseError& error) {
    return complain_parse(app, error);
  }
  if (const auto unknown = app.remaining(); !unknown.empty())
    return complain_unknown(app, unknown.front());
  for (const auto& [name, values] : options) {
    if (!values.empty()) arguments.what.options.push_back({name, values});
  }
  return arguments.server
             ? start(arguments, bench::server::make_plan(arguments.what, arguments.counts),
                     measure_server)
             : start(arguments, bench::make_plan(arguments.what),
                     arguments.soak_seconds > 0 ? soak : measure);
}

}  // namespace
}  // namespace culvert::program

int main(int argc, char** argv) {
  culvert::program::keep_standard_descriptors();
  std::signal(SIGPIPE, SIG_IGN);
  return culvert::program::run_command(argc, argv);
}
