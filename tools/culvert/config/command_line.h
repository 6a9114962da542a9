// The words of `culvert run NAME …`, as people know them from `ip tunnel add`. Any thread.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tools/culvert/config/draft.h"
#include "tools/culvert/config/settings.h"

namespace culvert::control {

/// One `--name value` that stands beside the words (Word::Kind::option).
struct OptionGiven {
  std::string name;
  std::string value;
};

/// Reads the words behind NAME, and the options. Errors name the word, its value, what is wrong and
/// what to do.
[[nodiscard]] Result<DeviceSettings> parse_command_line(std::string_view device,
                                                        std::span<const std::string> arguments,
                                                        std::span<const OptionGiven> options);

/// Sets words one after the other, with their values. `only`: others are refused.
[[nodiscard]] Result<void> set_words(Draft& draft, std::span<const std::string> words,
                                     std::optional<Word::Scope> only = {});

[[nodiscard]] Error to_error(const Complaint& complaint);

/// Sets options on a device that came from a file: what the command line says wins.
[[nodiscard]] Result<void> override_options(DeviceSettings& settings,
                                            std::span<const OptionGiven> options);

/// The words and what they mean, one line each, for --help.
[[nodiscard]] std::string describe_words();

}  // namespace culvert::control
