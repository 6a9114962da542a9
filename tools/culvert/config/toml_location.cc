#include "tools/culvert/config/toml_location.h"

#include <sstream>
#include <utility>

#include "tools/culvert/config/parse_value.h"

namespace culvert::program {

Unexpected<Error> TomlLocation::refuse(unsigned line, std::string_view key, std::string_view value,
                                       std::string text) const {
  std::string object{file_};
  if (line != 0) object += ", line " + std::to_string(line);
  if (!key.empty()) object += ", key " + quoted(key);
  if (!value.empty()) object += ", value " + quoted(value);
  return Unexpected{Error{
      .code = 0, .operation = "read", .object = std::move(object), .advice = std::move(text)}};
}

Unexpected<Error> TomlLocation::refuse_unknown(const toml::key& key,
                                               std::span<const std::string_view> known) const {
  const std::string_view near = nearest(key.str(), known);
  if (!near.empty()) {
    return refuse(line_of(key), key.str(), "", "is unknown: is " + quoted(near) + " meant?");
  }
  std::string text = "is unknown: the keys of this section are";
  for (const std::string_view name : known) text += " " + std::string{name};
  return refuse(line_of(key), key.str(), "", text);
}

unsigned line_of(const toml::node& node) { return static_cast<unsigned>(node.source().begin.line); }
unsigned line_of(const toml::key& key) { return static_cast<unsigned>(key.source().begin.line); }

std::optional<RawValue> to_raw_value(const toml::node& node) {
  RawValue given{.text = {}, .is_number = node.is_integer(), .line = line_of(node)};
  if (!node.is_value()) return std::nullopt;
  if (const auto* text = node.as_string()) {
    given.text = text->get();
    return given;
  }
  std::ostringstream text;
  node.visit([&](const auto& each) {
    if constexpr (toml::is_value<decltype(each)>) text << each;  // as TOML: "64.0", not "64"
  });
  given.text = text.str();
  return given;
}

}  // namespace culvert::program
