// Applies `culvert tunnel add|del|set` to the settings of a running device. Pure functions; any
// thread.
#pragma once

#include <string>
#include <vector>

#include "tools/culvert/config/settings.h"

namespace culvert::program {

/// The arguments of `culvert tunnel`.
struct TunnelCommand {
  std::string action;  ///< "add", "del" or "set"
  std::string device;
  std::string tunnel;
  std::vector<std::string> words;  ///< the words of a tunnel, as for `run`
};

/// Returns the settings with the change. An error (code 0) names the word, its value, what is wrong
/// and what to do, as for `run`.
[[nodiscard]] Result<host::DeviceSettings> apply_command(host::DeviceSettings device,
                                                         const TunnelCommand& command);

}  // namespace culvert::program
