// Parses the words and options of `culvert run NAME …`. The words are those of `ip tunnel add`.
// Pure functions; any thread.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tools/culvert/config/config_builder.h"
#include "tools/culvert/config/settings.h"

namespace culvert::program {

/// One option `--name value` (Option::Kind::option).
struct OptionText {
  std::string name;  ///< as in the table: "busy_poll"
  std::string value;
};

/// Parses the words after NAME, and the options. An error (code 0) names the word, its value, what
/// is wrong and what to do.
[[nodiscard]] Result<host::DeviceSettings> parse_command_line(
    std::string_view device, std::span<const std::string> arguments,
    std::span<const OptionText> options);

/// Sets the words with their values, in their order. `scope`: refuses words of the other scope.
[[nodiscard]] Result<void> set_words(ConfigBuilder& builder, std::span<const std::string> words,
                                     std::optional<Option::Scope> scope = {});

/// The error of a word on the command line, as a sentence: "word 'ttl', value '300': must be …".
[[nodiscard]] Error to_error(const ConfigError& error);

/// Sets options of the command line on a device from a file. They override the file.
[[nodiscard]] Result<void> override_options(host::DeviceSettings& settings,
                                            std::span<const OptionText> options);

/// The words and their meaning for --help, one line for each word.
[[nodiscard]] std::string describe_words();

}  // namespace culvert::program
