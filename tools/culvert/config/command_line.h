// The words of `culvert run NAME …`, as people know them from `ip tunnel add`. Any thread.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tools/culvert/config/config_builder.h"
#include "tools/culvert/config/settings.h"

namespace culvert::program {

/// One `--name value` that stands beside the words (Option::Kind::option).
struct OptionText {
  std::string name;
  std::string value;
};

/// Reads the words behind NAME, and the options. Errors name the word, its value, what is wrong and
/// what to do.
[[nodiscard]] Result<host::DeviceSettings> parse_command_line(
    std::string_view device, std::span<const std::string> arguments,
    std::span<const OptionText> options);

/// Sets words one after the other, with their values. `only`: others are refused.
[[nodiscard]] Result<void> set_words(ConfigBuilder& draft, std::span<const std::string> words,
                                     std::optional<Option::Scope> only = {});

[[nodiscard]] Error to_error(const ConfigError& error);

/// Sets options on a device that came from a file: what the command line says wins.
[[nodiscard]] Result<void> override_options(host::DeviceSettings& settings,
                                            std::span<const OptionText> options);

/// The words and what they mean, one line each, for --help.
[[nodiscard]] std::string describe_words();

}  // namespace culvert::program
