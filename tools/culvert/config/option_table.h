// The option table: the words of devices and tunnels, which the command line and the TOML file
// share. Each entry has the word's name, its argument and its setter. The words are those of `ip
// tunnel add` and `ip link add`. encapsulation_options.h has those that only some modes have.
// Immutable; any thread.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "proto/expected.h"
#include "tools/culvert/config/settings.h"

namespace culvert::program {

/// A value as written on the command line or in the file.
struct RawValue {
  std::string text;
  bool is_number = false;  ///< a TOML integer: `text` has it in decimal, so its base is certain
  unsigned line = 0;       ///< in the file, from 1; 0: the command line
};

/// A tunnel during parsing. Its words can be in any order, so `mode` may be the last one.
struct TunnelBuilder {
  TunnelConfig config;
  std::optional<Parameters> mode;
  bool has_remote = false;
  ParametersOfEach parameters;  ///< set by the words of the encapsulations' options
  /// For an existing tunnel: the first element of a list replaces the whole old list.
  bool has_old_prefixes = false, has_old_accept = false;
};

/// The settings that a word can change.
struct Target {
  host::DeviceSettings& device;
  TunnelBuilder& tunnel;
};

/// Success, or the error in the value and its remedy, as the end of a sentence.
using Check = Expected<void, std::string>;

/// One entry of the option table.
struct Option {
  enum class Scope : std::uint8_t { device, tunnel };
  enum class Kind : std::uint8_t {
    value,   ///< `ttl 64`, TOML `ttl = 64`; allowed once
    list,    ///< `address A address B`, TOML `address = ["A", "B"]`
    flag,    ///< `csum` or `nocsum` (negated()), TOML `csum = true`
    option,  ///< `--workers 2`, TOML `workers = 2`
    key,     ///< TOML only
  };
  std::string_view name;
  std::string_view alias;  ///< another name of `ip`, for the command line only; may be empty
  Scope scope;
  Kind kind;
  std::string_view argument;  ///< its argument for --help, like "N|inherit"; empty for flags
  std::string_view help;
  /// Parses `given` and stores the value. For a flag the text is "true" or "false".
  Check (*set)(const Target& target, const RawValue& given);
};

/// All words, in the order of --help.
[[nodiscard]] std::span<const Option> options();

/// The entry with this name or alias; null: there is none.
[[nodiscard]] const Option* find_option(std::string_view name);

/// The word that clears a flag on the command line: "nocsum"; "down" for `up`.
[[nodiscard]] std::string negated(const Option& word);

/// The name of an option on the command line: "--busy-poll" for busy_poll.
[[nodiscard]] std::string option_name(std::string_view word);

/// The candidate that is most similar to `name`, within two edits (one for a name of up to 3
/// bytes); empty: there is none.
[[nodiscard]] std::string_view nearest(std::string_view name,
                                       std::span<const std::string_view> candidates);

}  // namespace culvert::program
