// What is to be measured, from what was asked for; checked before anything is made. Any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/result.h"
#include "tools/culvert/config/command_line.h"

namespace culvert::bench {

struct Work {
  enum class Kind : std::uint8_t { tcp, udp, latency };
  std::string_view name;   ///< "udp64"
  std::string_view title;  ///< of its table
  Kind kind;
  unsigned flows = 0;          ///< TCP connections; with latency: that run meanwhile
  unsigned payload_bytes = 0;  ///< of UDP
};

/// All there are, in the order in which they are done.
[[nodiscard]] std::span<const Work> all_works();

struct TunnelPlan {
  enum class Kind : std::uint8_t { culvert, single, bare, socat, vxlan, kernel_sit, kernel_gre };
  Kind kind;
  std::string name;                          ///< "culvert-sit", "culvert-sit/receive=raw"
  std::string mode;                          ///< of culvert: sit or gre
  std::vector<program::OptionText> options;  ///< of culvert run
};

/// One option of `culvert run`, and the values with which it is to be measured.
struct OptionValues {
  std::string name;
  std::vector<std::string> values;
};

/// As the command line gives it.
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
  unsigned seconds = 0;  ///< of each work through each tunnel in each round
};

/// Fails, with what to do, if the words make no sense; what `culvert run` would refuse too.
[[nodiscard]] Result<Plan> make_plan(const Arguments& arguments);

/// A sentence about a word of an option that is none of those that there are.
[[nodiscard]] Unexpected<Error> refuse(std::string_view option, const std::string& word,
                                       const std::vector<std::string_view>& known);

/// The words of `culvert run` behind the device's name, for one end.
[[nodiscard]] std::vector<std::string> culvert_arguments(const std::string& mode, std::size_t end);

}  // namespace culvert::bench
