// TomlLocation: makes error sentences that name the file, the line, the key and the value. The
// readers of all sections share it. Any thread.
#pragma once

#include <toml++/toml.h>

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "tools/culvert/config/option_table.h"

namespace culvert::program {

/// `file`: the name of the file for errors; the text outlives this object.
class TomlLocation {
 public:
  explicit TomlLocation(std::string_view file) : file_(file) {}
  [[nodiscard]] std::string_view file() const noexcept { return file_; }

  /// "read FILE, line 7, key 'ttl', value '300': must be …". Leaves out a `line` of 0, an empty
  /// `key` and an empty `value`.
  [[nodiscard]] Unexpected<Error> refuse(unsigned line, std::string_view key,
                                         std::string_view value, std::string text) const;
  /// The error of an unknown key. It names the most similar key of the section, or else all of
  /// them.
  [[nodiscard]] Unexpected<Error> refuse_unknown(const toml::key& key,
                                                 std::span<const std::string_view> known) const;

 private:
  std::string_view file_;
};

/// The line in the file, from 1.
[[nodiscard]] unsigned line_of(const toml::node& node);
[[nodiscard]] unsigned line_of(const toml::key& key);

/// A single value as text: for the parser of a word, or to name a value of a type that no word has
/// (a float, a date). nullopt: an array or a table.
[[nodiscard]] std::optional<RawValue> to_raw_value(const toml::node& node);

}  // namespace culvert::program
