// culvert: 6in4 and GRE tunnels in user space. This file describes the command line with CLI11;
// each subcommand has its own file.
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
The first example as a file for --config:
  [device.he-ipv6]
  address = ["2001:db8:1::2/64"]
  route   = ["::/0"]
  [[device.he-ipv6.tunnel]]
  mode = "sit"
  remote = "216.218.221.42"
  local = "192.168.12.2"
  ttl = 255

A file can describe several devices, and several tunnels of a device; see culvert.toml(5).
SIGHUP or `culvert reload` reads the file again.

culvert runs until SIGINT or SIGTERM. Then it removes everything that it has created and prints the
counters.
Exit status: 0 after a signal, 1 if the system refuses something, 2 if a word or the file is wrong.
)";

constexpr const char* kShowNotes =
    R"(in: inbound, from the tunnel to the device; out: outbound, from the device to the tunnel.
Bytes are those of inner packets. In each direction received = packets + dropped + held; a held
packet is being processed. The table has no column for received; --json has in_received and
out_received.

`culvert show flows [NAME]` lists the flow table, the flows with the latest packet first.
far: the host behind the tunnel's remote endpoint; near: the host on our side; opened: the direction
of the first packet, in or out.

Examples:
  culvert show
  culvert show he-ipv6
  culvert show broker alice
  culvert show flows broker --limit 50
  culvert show --json | jq '.devices[].tunnels[].drops'
)";

constexpr const char* kReloadNotes = R"(
SIGHUP does the same. The whole file is validated first. If anything is wrong, nothing is applied
and the error is printed (exit status 1). Unchanged tunnels lose no packet and keep their counters.
A change of workers, io, receive, send, busy_poll, offload, pinning or flows of a running device is
refused: restart culvert for such a change. Changes by `culvert tunnel` are lost, because the file wins.

In a systemd unit:
  ExecReload=culvert reload --control /run/culvert/NAME.sock
)";

constexpr const char* kTunnelNotes = R"(
The words are the words of a tunnel of `culvert run`: mode, remote, local, key, prefix, accept, ...
`set` changes only the words that are given; prefix and accept replace the whole list. Other tunnels
lose no packet and keep their counters. The change is lost when the process ends or reads its file
again, so write permanent changes to the file.

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
  CLI::App* run = app.add_subcommand("run", "Create a device and forward its packets");
  run->add_option("NAME", arguments.device, "name of the device")->option_text(" ");
  run->add_option("WORDS", arguments.words, "words of the device and its tunnel; see below")
      ->option_text(" ");
  for (const Option& option : program::options()) {
    if (option.kind != Option::Kind::option) continue;
    const std::string name{option.name};
    run->add_option(option_name(name), options[name], std::string{option.help})
        ->option_text(std::string{option.argument});
  }
  run->add_option("--config", arguments.config_path,
                  "read devices from a TOML file instead of words")
      ->option_text("FILE");
  run->add_option("--control", arguments.control_path,
                  "path of the control socket; default /run/culvert/NAME.sock of the first device")
      ->option_text("PATH");
  run->add_option("--log-level", arguments.log_level,
                  "lowest level of log lines on stderr; default info")
      ->option_text("debug|info|warning|error");
  run->add_flag(
      "--no-wait", arguments.no_wait,
      "refuse a dev, a local or an [ndp] interface that is not there, instead of waiting");
  run->allow_extras();  // run_command() reports unknown options, with a better sentence
  run->footer("Words:\n" + describe_words() + kExamples + kFileFormat);
  return run;
}

CLI::App* add_show(CLI::App& app, ShowArguments& arguments) {
  CLI::App* show = app.add_subcommand("show", "Print devices, tunnels, counters and drop reasons");
  show->add_option("NAME", arguments.device, "only this device, or the NDP proxy of this interface")
      ->option_text(" ");
  show->add_option("TUNNEL", arguments.tunnel, "only this tunnel of the device")->option_text(" ");
  show->add_option("--limit", arguments.limit,
                   "with `show flows`: number of flows for each device; default 1000")
      ->option_text("N");
  show->add_flag("--json", arguments.json, "print one line of JSON instead of a table");
  show->add_option("--control", arguments.control_path,
                   "only the process with this control socket; default: all in /run/culvert")
      ->option_text("PATH");
  show->allow_extras();
  show->footer(kShowNotes);
  return show;
}

constexpr const char* kImportNotes = R"(
The TOML goes to stdout. One line for each key of FILE goes to stderr: mapped,
mapped-with-difference (with the difference), unsupported, or ignored-by-original (ndppd does not
use the key either). A wrong rule is left out, and the others are imported. The last lines say which
dialect was read, and whether anything is left. Exit status: 0 if every key is supported, 3 if a key
is unsupported or nothing is left (0 with --lossy), 1 if FILE cannot be read, 2 if FILE is wrong.

Example:
  culvert import ndppd /etc/ndppd.conf >> /etc/culvert.toml
)";

CLI::App* add_import(CLI::App& app, ImportArguments& arguments) {
  CLI::App* import = app.add_subcommand("import", "Convert another program's file to TOML");
  import->add_option("FORMAT", arguments.format, "ndppd: an ndppd.conf of 0.2 or 1.0-devel")
      ->option_text(" ");
  import->add_option("FILE", arguments.path, "file to read")->option_text(" ");
  import
      ->add_option("--dialect", arguments.dialect,
                   "version of ndppd whose file it is; default: the file's keys show it")
      ->option_text("0.2|1.0");
  import->add_flag("--lossy", arguments.lossy, "exit status 0 even if a key is unsupported");
  import->allow_extras();
  import->footer(kImportNotes);
  return import;
}

CLI::App* add_reload(CLI::App& app, ReloadArguments& arguments) {
  CLI::App* reload = app.add_subcommand("reload", "Make a running culvert read its file again");
  reload
      ->add_option("NAME", arguments.device, "a device of the process; needed only if several run")
      ->option_text(" ");
  reload->add_option("--control", arguments.control_path, "the process with this control socket")
      ->option_text("PATH");
  reload->allow_extras();
  reload->footer(kReloadNotes);
  return reload;
}

CLI::App* add_tunnel(CLI::App& app, TunnelArguments& arguments) {
  CLI::App* tunnel =
      app.add_subcommand("tunnel", "Add, change or remove a tunnel of a running device");
  TunnelCommand& command = arguments.command;
  tunnel->add_option("ACTION", command.action, "add, del or set")->option_text(" ");
  tunnel->add_option("DEVICE", command.device, "name of the running device")->option_text(" ");
  tunnel->add_option("NAME", command.tunnel, "name of the tunnel")->option_text(" ");
  tunnel->add_option("WORDS", command.words, "words of the tunnel, as for `culvert run`")
      ->option_text(" ");
  tunnel->add_option("--control", arguments.control_path, "the process with this control socket")
      ->option_text("PATH");
  tunnel->allow_extras();
  tunnel->footer(kTunnelNotes);
  return tunnel;
}

CLI::App* add_bench(CLI::App& app) {
  CLI::App* bench =
      app.add_subcommand("bench", "Measure tunnels on this machine with culvert-bench");
  bench->set_help_flag();  // culvert-bench has its own --help
  bench->prefix_command();
  return bench;
}

int run_command(int argc, char** argv) {
  CLI::App app{"culvert: IPv6 (and IPv4) over IPv4 by 6in4 and GRE tunnels in user space",
               "culvert"};
  app.set_version_flag("--version", std::string{"culvert "} + CULVERT_VERSION);
  app.footer(std::string{kExamples} +
             "\nMore: culvert(8), culvert.toml(5), and --help of each subcommand:\n"
             "  culvert run --help, culvert show --help, culvert reload --help,\n"
             "  culvert tunnel --help, culvert import --help, culvert bench --help");
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
  } catch (const CLI::Success& success) {  // --help, --version
    return print_requested(app, success);
  } catch (const CLI::ParseError& error) {
    return complain_parse(app, error);
  }
  for (const CLI::App* each : {&app, run_app, show_app, reload_app, tunnel_app, import_app}) {
    const auto unknown = each->remaining();
    if (!unknown.empty()) return complain_unknown(*each, unknown.front());
  }
  if (app.get_subcommands().empty()) {
    return complain(
        "the subcommand is missing: write run, show, reload, tunnel, import or bench; see "
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
  // If the reader of stdout ends, writing shall fail with EPIPE and not end the tunnels.
  std::signal(SIGPIPE, SIG_IGN);
  return culvert::program::finish_output(culvert::program::run_command(argc, argv));
}
