// culvert: 6in4 and GRE tunnel ends in user space. The command line by CLI11; each subcommand has a
// file of its own.
#include <CLI/CLI.hpp>
#include <csignal>
#include <map>

#include "tools/culvert/cli/parse.h"
#include "tools/culvert/commands.h"
#include "tools/culvert/config/option_table.h"

namespace culvert::program {

const std::string_view kProgramName = "culvert";

namespace {

using program::Option;

constexpr const char* kExamples = R"(
Examples:
  culvert run he-ipv6 mode sit remote 216.218.221.42 local 192.168.12.2 ttl 255 \
      address 2001:db8:1::2/64 route ::/0
  culvert run nasgre mode gre remote 198.51.100.2 local 198.51.100.1 key 42 csum seq \
      address 10.0.0.1/30 address fd00::1/126
  culvert run --config /etc/culvert.toml
  culvert show
)";

constexpr const char* kFileFormat = R"(
The same in a file, for one or more devices:
  [device.he-ipv6]
  address = ["2001:db8:1::2/64"]
  route   = ["::/0"]
  [[device.he-ipv6.tunnel]]
  mode = "sit"
  remote = "216.218.221.42"
  local = "192.168.12.2"
  ttl = 255

Many tunnels of one device each have a name and a prefix; see README.md, "A tunnel server".
SIGHUP, or `culvert reload`, reads the file again.

It runs until SIGINT or SIGTERM, then removes what it made and prints totals.
Exit status: 0 after a signal, 1 if the system refuses, 2 if the words make no sense.
)";

constexpr const char* kShowNotes =
    R"(in: from the tunnel to the device; out: from the device into the tunnel. Bytes are those of the
inner packets. received = packets + dropped + held, in each direction.

`culvert show flows [NAME]` lists the flows that are pinned, those with the latest packet first: far is
the end behind the tunnel, near ours; opened in: the first packet came out of the tunnel.

Examples:
  culvert show
  culvert show he-ipv6
  culvert show broker alice
  culvert show flows broker --limit 50
  culvert show --json | jq '.devices[].tunnels[].drops'
)";

constexpr const char* kReloadNotes = R"(
The same as SIGHUP. All of the file is checked first: if anything is wrong, nothing is changed, and
the sentence that says so is printed here; exit status 1. Tunnels that stay as they are lose no
packet and keep their counters. What cannot change while a device runs (workers, io, receive, send,
busy_poll, pinning, flows) is refused. What `culvert tunnel` has changed is forgotten: the file wins.

In a unit of systemd:
  ExecReload=culvert reload --control /run/culvert/NAME.sock
)";

constexpr const char* kTunnelNotes = R"(
The words of `culvert run` that are about a tunnel: mode, remote, local, key, prefix, accept, ...
`set` changes those that are named and leaves the rest; a list (prefix, accept) is replaced. Other
tunnels lose no packet and keep their counters. It holds until the process ends or reads its file
again, for then the file wins: write there what is to stay.

Examples:
  culvert tunnel add broker carol mode sit local 198.51.100.1 remote 203.0.113.11 \
      prefix 2001:db8:0:1::4/128
  culvert tunnel set broker carol down
  culvert tunnel set broker carol remote 203.0.113.12 up
  culvert tunnel del broker carol
)";

/// The options of a device: one for each Option::Kind::option, by name.
using OptionTexts = std::map<std::string, std::string>;

CLI::App* add_run(CLI::App& app, RunArguments& arguments, OptionTexts& options) {
  CLI::App* run = app.add_subcommand("run", "Make a device and forward its packets");
  run->add_option("NAME", arguments.device, "of the device")->option_text(" ");
  run->add_option("WORDS", arguments.words, "as `ip tunnel add` takes them; see below")
      ->option_text(" ");
  for (const Option& option : program::options()) {
    if (option.kind != Option::Kind::option) continue;
    const std::string name{option.name};
    run->add_option(option_name(name), options[name], std::string{option.help})
        ->option_text(std::string{option.argument});
  }
  run->add_option("--config", arguments.config_path, "devices from a TOML file instead of words")
      ->option_text("FILE");
  run->add_option("--control", arguments.control_path,
                  "control socket; default /run/culvert/NAME.sock, of the first device")
      ->option_text("PATH");
  run->add_option("--log-level", arguments.log_level, "what is logged to stderr; default info")
      ->option_text("debug|info|warning|error");
  run->allow_extras();  // unknown options come back to us, for a better sentence
  run->footer("Words:\n" + describe_words() + kExamples + kFileFormat);
  return run;
}

CLI::App* add_show(CLI::App& app, ShowArguments& arguments) {
  CLI::App* show = app.add_subcommand("show", "Print devices, tunnels, counters and drop reasons");
  show->add_option("NAME", arguments.device, "only this device")->option_text(" ");
  show->add_option("TUNNEL", arguments.tunnel, "only this one of its tunnels")->option_text(" ");
  show->add_option("--limit", arguments.limit, "flows of each device that are listed; default 1000")
      ->option_text("N");
  show->add_flag("--json", arguments.json, "one line of JSON instead of a table");
  show->add_option("--control", arguments.control_path,
                   "ask this socket only; default: all below /run/culvert")
      ->option_text("PATH");
  show->allow_extras();
  show->footer(kShowNotes);
  return show;
}

constexpr const char* kImportNotes = R"(
The TOML goes to stdout, a line for each key of FILE to stderr: mapped, mapped-with-difference (and
what differs), unsupported, or ignored-by-original (ndppd reads the file as if it were not there).
Exit status: 0 if all could be taken over, 3 if something is unsupported (0 with --lossy), 1 if FILE
cannot be read, 2 if it makes no sense.

Example:
  culvert import ndppd /etc/ndppd.conf >> /etc/culvert.toml
)";

CLI::App* add_import(CLI::App& app, ImportArguments& arguments) {
  CLI::App* import = app.add_subcommand("import", "Turn another program's file into TOML");
  import->add_option("FORMAT", arguments.format, "ndppd: an ndppd.conf of 0.2 or 1.0-devel")
      ->option_text(" ");
  import->add_option("FILE", arguments.path, "to read")->option_text(" ");
  import->add_flag("--lossy", arguments.lossy, "exit status 0 though something is unsupported");
  import->allow_extras();
  import->footer(kImportNotes);
  return import;
}

CLI::App* add_reload(CLI::App& app, ReloadArguments& arguments) {
  CLI::App* reload = app.add_subcommand("reload", "Read the file of a running culvert again");
  reload->add_option("NAME", arguments.device, "a device of the process that is meant")
      ->option_text(" ");
  reload->add_option("--control", arguments.control_path, "ask this socket")->option_text("PATH");
  reload->allow_extras();
  reload->footer(kReloadNotes);
  return reload;
}

CLI::App* add_tunnel(CLI::App& app, TunnelArguments& arguments) {
  CLI::App* tunnel = app.add_subcommand("tunnel", "Add, remove or change a tunnel that runs");
  TunnelCommand& what = arguments.what;
  tunnel->add_option("ACTION", what.action, "add, del or set")->option_text(" ");
  tunnel->add_option("DEVICE", what.device, "that runs")->option_text(" ");
  tunnel->add_option("NAME", what.tunnel, "of the tunnel")->option_text(" ");
  tunnel->add_option("WORDS", what.words, "of a tunnel, as of `culvert run`")->option_text(" ");
  tunnel->add_option("--control", arguments.control_path, "ask this socket")->option_text("PATH");
  tunnel->allow_extras();
  tunnel->footer(kTunnelNotes);
  return tunnel;
}

CLI::App* add_bench(CLI::App& app) {
  CLI::App* bench =
      app.add_subcommand("bench", "Measure tunnels on this machine, with culvert-bench");
  bench->set_help_flag();  // culvert-bench has its own
  bench->prefix_command();
  return bench;
}

int run_command(int argc, char** argv) {
  CLI::App app{"culvert: IPv6 (and IPv4) over IPv4, 6in4 and GRE, in user space", "culvert"};
  app.set_version_flag("--version", std::string{"culvert "} + CULVERT_VERSION);
  app.footer(std::string{kExamples} +
             "\nMore: culvert run --help, culvert show --help, culvert import --help, "
             "culvert bench --help");
  RunArguments run_arguments;
  ShowArguments show_arguments;
  ImportArguments import_arguments;
  ReloadArguments reload_arguments;
  TunnelArguments tunnel_arguments;
  OptionTexts options;
  CLI::App* run_app = add_run(app, run_arguments, options);
  CLI::App* show_app = add_show(app, show_arguments);
  CLI::App* import_app = add_import(app, import_arguments);
  CLI::App* reload_app = add_reload(app, reload_arguments);
  CLI::App* tunnel_app = add_tunnel(app, tunnel_arguments);
  CLI::App* bench_app = add_bench(app);
  app.require_subcommand(0, 1);
  app.allow_extras();
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& asked) {  // --help, --version
    return app.exit(asked);
  } catch (const CLI::ParseError& error) {
    return complain_parse(app, error);
  }
  for (const CLI::App* each : {&app, run_app, show_app, reload_app, tunnel_app, import_app}) {
    const auto unknown = each->remaining();
    if (!unknown.empty()) return complain_unknown(*each, unknown.front());
  }
  if (app.get_subcommands().empty()) {
    return complain(
        "say what to do: `culvert run`, `culvert show`, `culvert import` or `culvert bench`; see "
        "`culvert --help`",
        kUsageError);
  }
  if (show_app->parsed()) return show(show_arguments);
  if (import_app->parsed()) return import_file(import_arguments);
  if (reload_app->parsed()) return reload(reload_arguments);
  if (tunnel_app->parsed()) return change_tunnel(tunnel_arguments);
  if (bench_app->parsed()) return bench(bench_app->remaining());
  for (const auto& [name, value] : options) {
    if (run_app->count(option_name(name)) != 0) run_arguments.options.push_back({name, value});
  }
  return run(run_arguments);
}

}  // namespace
}  // namespace culvert::program

int main(int argc, char** argv) {
  culvert::program::keep_standard_descriptors();
  // A reader of stdout that goes away must not end a tunnel: writing then fails with EPIPE.
  std::signal(SIGPIPE, SIG_IGN);
  return culvert::program::run_command(argc, argv);
}
