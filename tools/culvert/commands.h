// The subcommands, and the arguments of each.
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
};
[[nodiscard]] int run(const RunArguments& arguments);

struct ShowArguments {
  std::string device;
  std::string tunnel;
  std::string control_path;
  std::size_t limit = kListedFlows;  ///< of `show flows`, for each device
  bool json = false;
};
[[nodiscard]] int show(ShowArguments arguments);

struct ImportArguments {
  std::string format;  ///< "ndppd"
  std::string path;
  bool lossy = false;
};
[[nodiscard]] int import_file(const ImportArguments& arguments);

struct ReloadArguments {
  std::string device;
  std::string control_path;
};
[[nodiscard]] int reload(const ReloadArguments& arguments);

struct TunnelArguments {
  TunnelCommand what;
  std::string control_path;
};
[[nodiscard]] int change_tunnel(const TunnelArguments& arguments);

/// Becomes culvert-bench, with these words.
[[nodiscard]] int bench(const std::vector<std::string>& words);

}  // namespace culvert::program
