// The configuration file: TOML that says what the command line says, for several devices, and has
// the NDP proxies beside them. Any thread.
#pragma once

#include <string>
#include <string_view>

#include "tools/culvert/config/settings.h"

namespace culvert::program {

/// Reads TOML: one `[device.NAME]` with its `[[device.NAME.tunnel]]`s for each device, and one
/// `[ndp.IFACE]` for each NDP proxy; at least one of them. `file` is what errors call it; they name
/// the line, the key, its value, what is wrong and what to do.
[[nodiscard]] Result<Settings> parse_config(std::string_view toml, std::string_view file);

/// The same of a file. An error with an errno: it cannot be read.
[[nodiscard]] Result<Settings> load_config(const std::string& path);

}  // namespace culvert::program
