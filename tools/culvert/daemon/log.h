// The engine's log lines on stderr, by spdlog. The returned functions may be called by any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "engine/config.h"

namespace culvert::program {

/// "debug", "info", "warning" or "error".
[[nodiscard]] std::optional<LogLevel> parse_log_level(std::string_view text);

/// Writes lines of `lowest` and above to stderr, each with the time and the device's name.
[[nodiscard]] Log log_to_stderr(LogLevel lowest, std::string device);

}  // namespace culvert::program
