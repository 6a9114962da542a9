#include "tools/culvert/config/command_line.h"

#include <algorithm>
#include <utility>

#include "engine/model/encapsulation_names.h"
#include "tools/culvert/config/config_builder.h"
#include "tools/culvert/config/parse_value.h"

namespace culvert::program {
namespace {

bool is_word(const Option& word) {
  return word.kind != Option::Kind::option && word.kind != Option::Kind::key;
}

Unexpected<Error> refuse(std::string_view word, std::string_view value, std::string text) {
  return Unexpected{to_error({std::string{word}, std::string{value}, 0, std::move(text)})};
}

/// A word of the command line. `is_negated`: it has its negated form, like "nocsum".
struct WordMatch {
  const Option* word = nullptr;  ///< null: the text is not a word
  bool is_negated = false;
};

WordMatch find_word(std::string_view text) {
  if (const Option* word = find_option(text); word != nullptr && is_word(*word))
    return {word, false};
  for (const Option& word : options()) {
    if (word.kind == Option::Kind::flag && negated(word) == text) return {&word, true};
  }
  return {};
}

/// Both forms of a flag: "[no]csum", "up|down".
std::string flag_forms(const Option& word) {
  const std::string name{word.name}, no = negated(word);
  return no.ends_with(name) ? "[no]" + name : name + "|" + no;
}

/// The error text for an unknown word, with the most similar word.
std::string describe_unknown(std::string_view unknown) {
  std::vector<std::string> names;
  for (const Option& word : options()) {
    if (!is_word(word)) continue;
    names.emplace_back(word.name);
    if (word.kind == Option::Kind::flag) names.push_back(negated(word));
  }
  const std::vector<std::string_view> views(names.begin(), names.end());
  const std::string_view near = nearest(unknown, views);
  if (!near.empty()) return "is unknown: is " + quoted(near) + " meant?";
  return "is unknown: `culvert run --help` lists all words";
}

Result<void> set_option(ConfigBuilder& builder, const OptionText& option) {
  const Option* word = find_option(option.name);
  if (word == nullptr || word->kind != Option::Kind::option) {
    return refuse(option_name(option.name), option.value, "is not an option of a device");
  }
  if (const auto set = builder.set(*word, {.text = option.value}); !set) {
    return refuse(option_name(option.name), option.value, set.error().text);
  }
  return {};
}

/// Sets the first word of `rest` with its value, if it has one, and removes both from `rest`.
Result<void> set_next_word(ConfigBuilder& builder, std::span<const std::string>& rest,
                           std::optional<Option::Scope> scope) {
  const std::string& text = rest.front();
  rest = rest.subspan(1);
  const auto [word, is_negated] = find_word(text);
  if (word == nullptr) {
    const Option* option = find_option(text);
    if (option != nullptr && option->kind == Option::Kind::option) {
      return refuse(text, "", "is an option: write " + option_name(text));
    }
    return refuse(text, "", describe_unknown(text));
  }
  if (scope && word->scope != *scope) {
    return refuse(text, "", "is a word of the device: write only words of a tunnel");
  }
  RawValue given;
  if (word->kind == Option::Kind::flag) {
    given.text = is_negated ? "false" : "true";
  } else {
    if (rest.empty()) {
      return refuse(text, "", "has no value: write " + text + " " + std::string{word->argument});
    }
    given.text = rest.front();
    rest = rest.subspan(1);
  }
  if (const auto set = builder.set(*word, std::move(given)); !set) {
    return Unexpected{to_error(set.error())};
  }
  return {};
}

}  // namespace

Error to_error(const ConfigError& error) {
  std::string object = quoted(error.word);
  if (!error.value.empty()) object += ", value " + quoted(error.value);
  return {.code = 0, .operation = "word", .object = object, .advice = error.text};
}

Result<void> set_words(ConfigBuilder& builder, std::span<const std::string> words,
                       std::optional<Option::Scope> scope) {
  while (!words.empty()) {
    if (auto set = set_next_word(builder, words, scope); !set) return set;
  }
  return {};
}

Result<host::DeviceSettings> parse_command_line(std::string_view device,
                                                std::span<const std::string> arguments,
                                                std::span<const OptionText> options) {
  ConfigBuilder builder{device};
  if (const auto set = set_words(builder, arguments); !set) return Unexpected{set.error()};
  for (const OptionText& option : options) {
    if (const auto set = set_option(builder, option); !set) return Unexpected{set.error()};
  }
  auto settings = std::move(builder).finish();
  if (!settings) return Unexpected{to_error(settings.error())};
  return std::move(*settings);
}

Result<void> override_options(host::DeviceSettings& settings, std::span<const OptionText> options) {
  TunnelBuilder unused;
  for (const auto& [name, value] : options) {
    const Option* word = find_option(name);
    if (word == nullptr || word->kind != Option::Kind::option) {
      return refuse(option_name(name), value, "is not an option of a device");
    }
    if (const auto set = word->set({settings, unused}, {.text = value}); !set) {
      return refuse(option_name(name), value, set.error());
    }
  }
  return {};
}

std::string describe_words() {
  constexpr std::size_t kColumn = 30;
  std::string text;
  for (const Option& word : options()) {
    if (!is_word(word)) continue;
    std::string line = "  ";
    line += word.kind == Option::Kind::flag ? flag_forms(word) : std::string{word.name};
    if (!word.argument.empty()) line += " " + std::string{word.argument};
    line.resize(std::max(kColumn, line.size() + 1), ' ');
    text += line;
    const auto modes = encapsulations_with_option(word.name);
    if (!modes.empty()) text += alternatives(modes) + ": ";
    text += std::string{word.help} + "\n";
  }
  return text;
}

}  // namespace culvert::program
