// The subcommands, and what they share: exit statuses and how a sentence reaches people.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "bench/e2e/plan.h"
#include "bench/e2e/server/plan.h"
#include "io/result.h"
#include "tools/culvert/config/command_line.h"
#include "tools/culvert/config/tunnel_command.h"
#include "tools/culvert/show/flow_report.h"

namespace culvert::tool {

inline constexpr int kOk = 0;
inline constexpr int kSystemError = 1;  ///< the words make sense, but the system says no
inline constexpr int kUsageError = 2;   ///< the words alone make no sense
inline constexpr int kNotWhole = 3;     ///< import: something is not supported here

struct RunArguments {
  std::string config_path;
  std::string device;
  std::vector<std::string> words;
  std::vector<control::OptionGiven> options;
  std::string control_path;
  std::string log_level = "info";
};
[[nodiscard]] int run(const RunArguments& arguments);

struct ShowArguments {
  std::string device;
  std::string tunnel;
  std::string control_path;
  std::size_t limit = control::kListedFlows;  ///< of `show flows`, for each device
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
  control::TunnelCommand what;
  std::string control_path;
};
[[nodiscard]] int change_tunnel(const TunnelArguments& arguments);

struct BenchArguments {
  bench::Arguments what;
  bool json = false;
  bool csv = false;
  bool server = false;
  bench::server::Counts counts;  ///< of what the server has
  unsigned soak_seconds = 0;     ///< 0: measure
  bool disturb = false;          ///< while it soaks
};
[[nodiscard]] int bench(const BenchArguments& arguments);

/// Writes to stdout. What cannot be written is left: a tunnel does not stop because nobody reads.
void print(std::string_view text);

/// The same to stderr.
void print_error(std::string_view text);

/// One sentence on stderr; returns the exit status.
int complain(std::string_view sentence, int status);

}  // namespace culvert::tool
