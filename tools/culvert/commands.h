// The subcommands of culvert, and the arguments of each. Each function returns the exit status.
// Main thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tools/culvert/cli/print.h"
#include "tools/culvert/config/command_line.h"
#include "tools/culvert/config/tunnel_command.h"
#include "tools/culvert/show/flow_report.h"

namespace culvert::program {

struct RunArguments {
  std::string config_path;
  std::string device;
  std::vector<std::string> words;
  std::vector<OptionText> options;
  std::string control_path;
  std::string log_level = "info";
  bool no_wait = false;
};
/// `culvert run`: runs the devices and NDP proxies until a signal ends the process.
[[nodiscard]] int run(const RunArguments& arguments);

struct ShowArguments {
  std::string device;
  std::string tunnel;
  std::string control_path;
  std::size_t limit = kListedFlows;  ///< of `show flows`: flows for each device
  bool json = false;
};
/// `culvert show`: prints the reports of the running processes.
[[nodiscard]] int show(ShowArguments arguments);

struct ImportArguments {
  std::string format;  ///< "ndppd"
  std::string path;
  std::string dialect;  ///< "0.2" or "1.0"; empty: the file shows it
  bool lossy = false;
};
/// `culvert import`: prints the TOML for another program's file, and a report of its keys.
[[nodiscard]] int import_file(const ImportArguments& arguments);

struct ReloadArguments {
  std::string device;
  std::string control_path;
};
/// `culvert reload`: makes a running process read its file again.
[[nodiscard]] int reload(const ReloadArguments& arguments);

struct TunnelArguments {
  TunnelCommand command;
  std::string control_path;
};
/// `culvert tunnel`: makes a running process add, change or remove a tunnel.
[[nodiscard]] int change_tunnel(const TunnelArguments& arguments);

/// `culvert bench`: replaces this process by culvert-bench with these arguments. Returns only on
/// failure.
[[nodiscard]] int bench(const std::vector<std::string>& words);

}  // namespace culvert::program
