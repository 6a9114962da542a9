// `culvert tunnel add|del|set`: what a running device becomes by it. Pure functions; any thread.
#pragma once

#include <string>
#include <vector>

#include "tools/culvert/config/settings.h"

namespace culvert::program {

struct TunnelCommand {
  std::string action;  ///< "add", "del" or "set"
  std::string device;
  std::string tunnel;
  std::vector<std::string> words;  ///< as `run` takes them, those of a tunnel only
};

/// The device with the change. Errors are those of `run`: the word, its value, what is wrong and
/// what to do.
[[nodiscard]] Result<host::DeviceSettings> apply_command(host::DeviceSettings device,
                                                         const TunnelCommand& command);

}  // namespace culvert::program
