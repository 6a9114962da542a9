// Where something stands in a file of TOML, and how that is said: what the readers of its sections
// have in common. Any thread.
#pragma once

#include <toml++/toml.h>

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "tools/culvert/config/option_table.h"

namespace culvert::program {

/// A file by the name that errors call it. The name outlives it.
class TomlLocation {
 public:
  explicit TomlLocation(std::string_view file) : file_(file) {}

  /// "read FILE, line 7, key 'ttl', value '300': must be …". Without what is 0 or empty.
  [[nodiscard]] Unexpected<Error> refuse(unsigned line, std::string_view key,
                                         std::string_view value, std::string text) const;
  /// A key that none of its section is: the one that is meant, or all there are.
  [[nodiscard]] Unexpected<Error> refuse_unknown(const toml::key& key,
                                                 std::span<const std::string_view> known) const;

 private:
  std::string_view file_;
};

[[nodiscard]] unsigned line_of(const toml::node& node);
[[nodiscard]] unsigned line_of(const toml::key& key);

/// A scalar as the text that a word's parser takes; nothing for what no word takes.
[[nodiscard]] std::optional<RawValue> to_raw_value(const toml::node& node);

}  // namespace culvert::program
