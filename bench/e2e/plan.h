// The plan of a run: made from the arguments and checked before anything is created. Any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bench/e2e/inner_network.h"
#include "io/result.h"
#include "tools/culvert/config/command_line.h"

namespace culvert::bench {

struct Work {
  enum class Kind : std::uint8_t { tcp, udp, latency };
  std::string_view name;   ///< "udp64"
  std::string_view title;  ///< title of its table
  Kind kind;
  unsigned flows = 0;          ///< TCP connections; for latency: background connections
  unsigned payload_bytes = 0;  ///< UDP
};

/// All works, in the order of measuring.
[[nodiscard]] std::span<const Work> all_works();

struct TunnelPlan {
  enum class Kind : std::uint8_t {
    culvert,
    single,
    bare,
    socat,
    vxlan,
    kernel_sit,
    kernel_ipip,
    kernel_gre
  };
  Kind kind;
  std::string name;                          ///< "culvert-sit", "culvert-sit/receive=raw"
  std::string mode;                          ///< of culvert
  std::vector<program::OptionText> options;  ///< for `culvert run`
  InnerNetwork inner{};                      ///< the same for all tunnels of a run
};

/// One option of `culvert run`, and the values to measure.
struct OptionValues {
  std::string name;
  std::vector<std::string> values;
};

/// The arguments of the command line.
struct Arguments {
  std::vector<std::string> tunnels{"culvert", "single", "socat", "vxlan", "kernel"};
  std::vector<std::string> modes{"sit", "gre"};
  std::vector<std::string> works{};  ///< empty: all
  std::vector<OptionValues> options;
  unsigned rounds = 3;
  unsigned seconds = 2;
};

struct Plan {
  std::vector<TunnelPlan> tunnels;
  std::vector<Work> works;
  unsigned rounds = 0;
  unsigned seconds = 0;  ///< per work, tunnel and round
};

/// Makes a plan. All tunnels carry the same IP version, so that their figures can be compared: IPv6
/// if all can, otherwise IPv4. Fails, with advice, if there is no such version, if an argument is
/// invalid, or if `culvert run` would refuse an option.
[[nodiscard]] Result<Plan> make_plan(const Arguments& arguments);

/// The error for an unknown value of an option. `known`: the valid values.
[[nodiscard]] Unexpected<Error> refuse(std::string_view option, const std::string& word,
                                       const std::vector<std::string_view>& known);

/// The arguments of `culvert run` behind the device's name, for one endpoint.
[[nodiscard]] std::vector<std::string> culvert_arguments(const TunnelPlan& plan, std::size_t end);

}  // namespace culvert::bench
