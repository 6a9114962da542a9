// The words of `ip tunnel add` and `ip link add type sit|gre`, as the command line and TOML share
// them: one table with each word's name, what it takes and what it sets. Immutable; any thread.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "proto/expected.h"
#include "tools/culvert/config/settings.h"

namespace culvert::program {

/// A value as it was written.
struct RawValue {
  std::string text;
  bool is_number = false;  ///< a TOML integer: written in decimal here, its base is not in doubt
  unsigned line = 0;       ///< of the file; 0: on the command line
};

/// A tunnel that is still being described: its words come in any order, so `mode` may be last.
struct TunnelBuilder {
  TunnelConfig config;
  std::optional<Parameters> mode;
  bool has_remote = false;
  proto::Gre::Parameters gre;  ///< what the words for mode gre have said
  /// Of a tunnel that is changed: the first of a list takes the place of all that were there.
  bool has_old_prefixes = false, has_old_accept = false;
};

/// What a word sets.
struct Target {
  host::DeviceSettings& device;
  TunnelBuilder& tunnel;
};

/// Success, or what is wrong with the value and what to do, as the end of a sentence.
using Check = Expected<void, std::string>;

struct Option {
  enum class Scope : std::uint8_t { device, tunnel };
  enum class Kind : std::uint8_t {
    value,   ///< `ttl 64`, TOML `ttl = 64`; once
    list,    ///< `address A address B`, TOML `address = ["A", "B"]`
    flag,    ///< `csum` or `nocsum` (negated()), TOML `csum = true`
    option,  ///< `--workers 2`, TOML `workers = 2`
    key,     ///< TOML only
  };
  std::string_view name;
  std::string_view alias;  ///< another name that `ip` has for it; may be empty
  Scope scope;
  Kind kind;
  std::string_view argument;  ///< what it takes, for --help; empty for flags
  std::string_view help;
  std::string_view only_mode;  ///< the one mode it makes sense with; empty: any
  /// Flags are given "true" or "false".
  Check (*set)(const Target& target, const RawValue& given);
};

/// Every word there is, in the order of --help.
[[nodiscard]] std::span<const Option> options();

/// The word `name`, or with that alias; null: there is none.
[[nodiscard]] const Option* find_option(std::string_view name);

/// How the command line says that a flag is false: "nocsum"; "down" for `up`.
[[nodiscard]] std::string negated(const Option& word);

/// How the command line calls an option: "--busy-poll" for busy_poll.
[[nodiscard]] std::string option_name(std::string_view word);

/// The candidate that `name` is most likely a misspelling of; empty: none is near.
[[nodiscard]] std::string_view nearest(std::string_view name,
                                       std::span<const std::string_view> candidates);

}  // namespace culvert::program
