#include "engine/control/config_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "engine/control/draft.h"
#include "engine/control/toml_place.h"
#include "engine/control/values.h"
#include "io/fd.h"

namespace culvert::control {
namespace {

constexpr std::size_t kLargestFileBytes = 1 << 20;

/// What a key may hold, in the words of TOML.
std::string wanted(const Word& word) {
  if (word.kind == Word::Kind::flag) return "must be true or false";
  if (word.kind == Word::Kind::list)
    return "must be an array of strings, like [\"2001:db8::1/64\"]";
  return "must be a string or an integer: " + std::string{word.argument};
}

Result<void> set_scalar(Draft& draft, const Word& word, const toml::node& node,
                        const Place& place) {
  const auto given = to_given(node);
  if (!given) return place.refuse(line_of(node), word.name, "", wanted(word));
  const bool wants_flag = word.kind == Word::Kind::flag;
  if (wants_flag != node.is_boolean()) {
    return place.refuse(given->line, word.name, given->text, wanted(word));
  }
  if (const auto set = draft.set(word, *given); !set) {
    return place.refuse(given->line, word.name, given->text, set.error().text);
  }
  return {};
}

Result<void> set_word(Draft& draft, const Word& word, const toml::node& node, const Place& place) {
  const auto* list = node.as_array();
  if (list == nullptr) return set_scalar(draft, word, node, place);
  if (word.kind != Word::Kind::list) {
    return place.refuse(line_of(node), word.name, "", "takes one value, not an array");
  }
  for (const auto& element : *list) {
    if (const auto set = set_scalar(draft, word, element, place); !set) return set;
  }
  return {};
}

Unexpected<Error> refuse_unknown(const toml::key& key, Word::Scope scope, const Place& place) {
  if (const Word* word = find_word(key.str()); word != nullptr && word->scope != scope) {
    return place.refuse(line_of(key), key.str(), "",
                        scope == Word::Scope::device
                            ? "belongs into the [[device.NAME.tunnel]] section"
                            : "belongs into the [device.NAME] section");
  }
  std::vector<std::string_view> names;
  for (const Word& word : words()) {
    if (word.scope == scope) names.push_back(word.name);
  }
  if (scope == Word::Scope::device) names.push_back("tunnel");
  return place.refuse_unknown(key, names);
}

/// Sets each key of one section; `tunnel` in a device's section is skipped.
Result<void> set_section(Draft& draft, const toml::table& section, Word::Scope scope,
                         const Place& place) {
  for (const auto& [key, node] : section) {
    if (scope == Word::Scope::device && key.str() == "tunnel") continue;
    const Word* word = find_word(key.str());
    // The aliases are those of the command line of `ip`: a file has one name for one thing.
    const bool is_known = word != nullptr && word->scope == scope && word->name == key.str();
    if (!is_known) return refuse_unknown(key, scope, place);
    if (const auto set = set_word(draft, *word, node, place); !set) return set;
  }
  return {};
}

/// The one tunnel of a device.
Result<const toml::table*> find_tunnel(std::string_view device, const toml::table& section,
                                       const Place& place) {
  const std::string brackets = "[[device." + std::string{device} + ".tunnel]]";
  const toml::node* node = section.get("tunnel");
  const auto* tunnels = node == nullptr ? nullptr : node->as_array();
  if (node == nullptr || (tunnels != nullptr && tunnels->empty())) {
    return place.refuse(line_of(section), "tunnel", "",
                        "is missing: add a section " + brackets + " with mode and remote");
  }
  if (tunnels == nullptr || !tunnels->is_array_of_tables()) {
    return place.refuse(line_of(*node), "tunnel", "",
                        "must be a section with two brackets: " + brackets);
  }
  if (tunnels->size() > 1) {
    return place.refuse(line_of(*tunnels->get(1)), "tunnel", "",
                        "is the second tunnel of device " + std::string{device} +
                            ", and a device carries one tunnel in this version: give it a device "
                            "of its own");
  }
  return tunnels->get(0)->as_table();
}

Result<DeviceSettings> read_device(std::string_view name, const toml::node& node,
                                   const Place& place) {
  const auto* section = node.as_table();
  if (section == nullptr) {
    return place.refuse(line_of(node), name, "", "must be a section: [device.NAME]");
  }
  Draft draft{name};
  if (const auto set = set_section(draft, *section, Word::Scope::device, place); !set) {
    return Unexpected{set.error()};
  }
  const auto tunnel = find_tunnel(name, *section, place);
  if (!tunnel) return Unexpected{tunnel.error()};
  if (const auto set = set_section(draft, **tunnel, Word::Scope::tunnel, place); !set) {
    return Unexpected{set.error()};
  }
  auto settings = std::move(draft).finish();
  if (!settings) {
    const auto& [word, value, line, text] = settings.error();
    return place.refuse(line != 0 ? line : line_of(**tunnel), word, value, text);
  }
  return std::move(*settings);
}

Result<Settings> read_settings(const toml::table& root, const Place& place) {
  for (const auto& [key, node] : root) {
    if (key.str() == "device") continue;
    return place.refuse(line_of(key), key.str(), "",
                        "is unknown: a file holds [device.NAME] sections and nothing else");
  }
  const toml::node* node = root.get("device");
  const auto* devices = node == nullptr ? nullptr : node->as_table();
  if (devices == nullptr || devices->empty()) {
    return place.refuse(node == nullptr ? 0 : line_of(*node), "", "",
                        "there is no device in it: add a section [device.NAME]");
  }
  Settings all;
  for (const auto& [key, section] : *devices) {
    auto settings = read_device(key.str(), section, place);
    if (!settings) return Unexpected{settings.error()};
    all.devices.push_back(std::move(*settings));
  }
  return all;
}

}  // namespace

Result<Settings> parse_config(std::string_view toml, std::string_view file) {
  const Place place{file};
  try {
    return read_settings(toml::parse(toml, file), place);
  } catch (const toml::parse_error& error) {
    return place.refuse(static_cast<unsigned>(error.source().begin.line), "", "",
                        "is not TOML: " + printable(error.description(), 300));
  }
}

Result<Settings> load_config(const std::string& path) {
  const auto fail = [&](int code) {
    return Unexpected{Error{.code = code,
                            .operation = "read",
                            .object = path,
                            .advice = "give the path of a readable file: --config FILE"}};
  };
  const io::Fd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (!file) return fail(errno);
  std::string text;
  std::array<char, 4096> block;
  while (true) {
    const ssize_t size = ::read(file.get(), block.data(), block.size());
    if (size < 0) return fail(errno);
    if (size == 0) return parse_config(text, path);
    text.append(block.data(), static_cast<std::size_t>(size));
    if (text.size() > kLargestFileBytes) return fail(EFBIG);
  }
}

}  // namespace culvert::control
