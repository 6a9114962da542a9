// Writes the engine's log lines to stderr with spdlog. Any thread may call the returned functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "engine/config.h"

namespace culvert::program {

/// Parses "debug", "info", "warning" or "error"; nullopt: another text.
[[nodiscard]] std::optional<LogLevel> parse_log_level(std::string_view text);

/// A log callback that writes lines of level `lowest` and above to stderr, with the time and the
/// device's name. It drops lines that nobody reads (LineOutput).
[[nodiscard]] Log log_to_stderr(LogLevel lowest, std::string device);

/// Writes a line to stderr as the log callbacks do: without waiting long for a reader.
void write_to_stderr(std::string_view line);

}  // namespace culvert::program
