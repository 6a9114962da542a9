#include "tools/culvert/config/encapsulation_options.h"

#include <algorithm>
#include <cctype>
#include <utility>

#include "engine/model/encapsulation_names.h"
#include "engine/model/quoted.h"
#include "tools/culvert/config/parse_value.h"

namespace culvert::program {
namespace {

// ---- mode ---------------------------------------------------------------------------------------
/// The mode that has this name, alias or foreign name; empty: none has it.
std::string_view find_mode(std::string_view name) {
  std::string_view found;
  for_each_encapsulation([&](auto encapsulation) {
    const auto has = [&](const auto& names) {
      return std::find(names.begin(), names.end(), name) != names.end();
    };
    if (name == encapsulation.kName || has(encapsulation.kAliases) ||
        has(encapsulation.kForeignNames))
      found = encapsulation.kName;
  });
  return found;
}

/// The mode that is probably meant; empty: none is similar.
std::string_view similar_mode(std::string_view unknown) {
  std::string name{unknown};
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  auto mode = find_mode(name);
  const std::size_t letters = name.find_last_not_of("0123456789") + 1;  // "sit0" is a device
  if (mode.empty()) mode = find_mode(std::string_view{name}.substr(0, letters));
  return mode.empty() ? nearest(name, encapsulation_names()) : mode;
}

Check set_mode(const Target& target, const RawValue& given) {
  bool is_known = false;
  for_each_encapsulation([&](auto encapsulation) {
    using E = decltype(encapsulation);
    const auto& aliases = E::kAliases;
    const bool is_alias = std::find(aliases.begin(), aliases.end(), given.text) != aliases.end();
    if (given.text != E::kName && !is_alias) return;
    target.tunnel.mode = typename E::Parameters{};
    is_known = true;
  });
  if (is_known) return {};
  const std::string_view similar = similar_mode(given.text);
  return Unexpected{
      "is not a mode of culvert: " + (similar.empty() ? "" : "is " + quoted(similar) + " meant? ") +
      "write " + alternatives(encapsulation_names())};
}

// ---- parameters: one parse_as() for each kind of option -----------------------------------------
template <class P>
Value<bool> parse_as(const proto::Members<P, bool>&, std::string_view text) {
  return parse_flag(text);
}
template <class P>
Value<std::uint32_t> parse_as(const proto::Members<P, std::optional<std::uint32_t>>&,
                              std::string_view text) {
  return parse_key(text);
}

template <class P>
Check set_option(P& parameters, const proto::ParameterOption<P>& option, const RawValue& given) {
  return std::visit(
      [&](const auto& members) -> Check {
        const auto value = parse_as(members, given.text);
        if (!value) return Unexpected{value.error()};
        members.set(parameters, *value);
        return {};
      },
      option.members);
}

/// Sets the option of this name for every encapsulation that has it: `mode` may be the last word.
Check set_parameters(ParametersOfEach& parameters, std::string_view name, const RawValue& given) {
  Check done;
  for_each_encapsulation([&](auto encapsulation) {
    auto& own = std::get<typename decltype(encapsulation)::Parameters>(parameters);
    for (const auto& option : encapsulation.kOptions) {
      if (done && option.name == name) done = set_option(own, option, given);
    }
  });
  return done;
}

template <class E, std::size_t kIndex>
Check set_word(const Target& target, const RawValue& given) {
  return set_parameters(target.tunnel.parameters, E::kOptions[kIndex].name, given);
}

/// Adds the word of an option, unless another encapsulation has an option of this name.
template <class P>
void add_word(std::vector<Option>& words, const proto::ParameterOption<P>& option,
              decltype(Option::set) set) {
  const auto is_same = [&](const Option& word) { return word.name == option.name; };
  if (std::any_of(words.begin(), words.end(), is_same)) return;
  const auto kind = option.is_flag() ? Option::Kind::flag : Option::Kind::value;
  words.push_back(
      {option.name, "", Option::Scope::tunnel, kind, option.argument, option.help, set});
}

template <class E, std::size_t... kIndices>
void add_words(std::vector<Option>& words, E, std::index_sequence<kIndices...>) {
  (add_word(words, E::kOptions[kIndices], set_word<E, kIndices>), ...);
}

}  // namespace

Option mode_word() {
  static const auto join = [](std::string_view separator, auto describe) {
    std::string text;
    for_each_encapsulation([&](auto encapsulation) {
      text += text.empty() ? "" : separator;
      text += describe(encapsulation);
    });
    return text;
  };
  static const std::string names = join("|", [](auto each) { return std::string{each.kName}; });
  static const std::string help = join(
      "; ", [](auto each) { return std::string{each.kName} + ": " + std::string{each.kHelp}; });
  return {"mode", "type", Option::Scope::tunnel, Option::Kind::value, names, help, set_mode};
}

std::vector<Option> parameter_words() {
  std::vector<Option> words;
  for_each_encapsulation([&](auto encapsulation) {
    add_words(words, encapsulation, std::make_index_sequence<encapsulation.kOptions.size()>{});
  });
  return words;
}

std::vector<std::string_view> included_words(const Parameters& mode, std::string_view name) {
  std::vector<std::string_view> names;
  dispatch(mode, [&](auto encapsulation, const auto&) {
    for (const auto& option : encapsulation.kOptions) {
      if (option.name != name) continue;
      for (const auto& other : encapsulation.kOptions) {
        if (other.name != name && option.includes(other)) names.push_back(other.name);
      }
    }
  });
  return names;
}

}  // namespace culvert::program
