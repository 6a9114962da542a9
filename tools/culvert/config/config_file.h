// Reads the configuration file: TOML with several devices, their tunnels, and NDP proxies. Any
// thread.
#pragma once

#include <string>
#include <string_view>

#include "tools/culvert/config/settings.h"

namespace culvert::program {

/// Parses TOML: a `[device.NAME]` with one or more `[[device.NAME.tunnel]]` for each device, and an
/// `[ndp.IFACE]` for each NDP proxy; at least one of the two. `file`: the name for errors. An error
/// (code 0) names the line, the key, its value, what is wrong and what to do.
[[nodiscard]] Result<Settings> parse_config(std::string_view toml, std::string_view file);

/// Reads and parses a file. An error with an errno: the file cannot be read.
[[nodiscard]] Result<Settings> load_config(const std::string& path);

}  // namespace culvert::program
