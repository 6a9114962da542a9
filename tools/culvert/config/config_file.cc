#include "tools/culvert/config/config_file.h"

#include <functional>
#include <utility>

#include "tools/culvert/config/config_builder.h"
#include "tools/culvert/config/ndp_options.h"
#include "tools/culvert/config/parse_value.h"
#include "tools/culvert/config/text_file.h"
#include "tools/culvert/config/toml_location.h"

namespace culvert::program {
namespace {

/// What a key may hold, in the words of TOML.
std::string wanted(const Option& word) {
  if (word.kind == Option::Kind::flag) return "must be true or false";
  if (word.kind == Option::Kind::list)
    return "must be an array of strings, like [\"2001:db8::1/64\"]";
  return "must be a string or an integer: " + std::string{word.argument};
}

Result<void> set_scalar(ConfigBuilder& draft, const Option& word, const toml::node& node,
                        const TomlLocation& place) {
  const auto given = to_raw_value(node);
  if (!given) return place.refuse(line_of(node), word.name, "", wanted(word));
  const bool wants_flag = word.kind == Option::Kind::flag;
  if (wants_flag != node.is_boolean()) {
    return place.refuse(given->line, word.name, given->text, wanted(word));
  }
  if (const auto set = draft.set(word, *given); !set) {
    return place.refuse(given->line, word.name, given->text, set.error().text);
  }
  return {};
}

Result<void> set_word(ConfigBuilder& draft, const Option& word, const toml::node& node,
                      const TomlLocation& place) {
  const auto* list = node.as_array();
  if (list == nullptr) return set_scalar(draft, word, node, place);
  if (word.kind != Option::Kind::list) {
    return place.refuse(line_of(node), word.name, "", "takes one value, not an array");
  }
  if (list->empty() && word.name == "accept") {  // which would read as if nothing were accepted
    return place.refuse(line_of(node), word.name, "",
                        "is empty: write what the tunnel may bring in, or leave the key out");
  }
  for (const auto& element : *list) {
    if (const auto set = set_scalar(draft, word, element, place); !set) return set;
  }
  return {};
}

Unexpected<Error> refuse_unknown(const toml::key& key, Option::Scope scope,
                                 const TomlLocation& place) {
  if (const Option* word = find_option(key.str()); word != nullptr && word->scope != scope) {
    return place.refuse(line_of(key), key.str(), "",
                        scope == Option::Scope::device
                            ? "belongs into the [[device.NAME.tunnel]] section"
                            : "belongs into the [device.NAME] section");
  }
  std::vector<std::string_view> names;
  for (const Option& word : options()) {
    if (word.scope == scope) names.push_back(word.name);
  }
  if (scope == Option::Scope::device) names.push_back("tunnel");
  return place.refuse_unknown(key, names);
}

/// Sets each key of one section; `tunnel` in a device's section is skipped.
Result<void> set_section(ConfigBuilder& draft, const toml::table& section, Option::Scope scope,
                         const TomlLocation& place) {
  for (const auto& [key, node] : section) {
    if (scope == Option::Scope::device && key.str() == "tunnel") continue;
    const Option* word = find_option(key.str());
    // The aliases are those of the command line of `ip`: a file has one name for one thing.
    const bool is_known = word != nullptr && word->scope == scope && word->name == key.str();
    if (!is_known) return refuse_unknown(key, scope, place);
    if (const auto set = set_word(draft, *word, node, place); !set) return set;
  }
  return {};
}

/// The tunnels of a device: at least one.
Result<const toml::array*> find_tunnels(std::string_view device, const toml::table& section,
                                        const TomlLocation& place) {
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
  return tunnels;
}

Result<host::DeviceSettings> read_device(std::string_view name, const toml::node& node,
                                         const TomlLocation& place) {
  const auto* section = node.as_table();
  if (section == nullptr) {
    return place.refuse(line_of(node), name, "", "must be a section: [device.NAME]");
  }
  ConfigBuilder draft{name, line_of(*section)};
  if (const auto set = set_section(draft, *section, Option::Scope::device, place); !set) {
    return Unexpected{set.error()};
  }
  const auto tunnels = find_tunnels(name, *section, place);
  if (!tunnels) return Unexpected{tunnels.error()};
  for (const toml::node& tunnel : **tunnels) {
    draft.add_tunnel(line_of(tunnel));
    if (const auto set = set_section(draft, *tunnel.as_table(), Option::Scope::tunnel, place);
        !set) {
      return Unexpected{set.error()};
    }
  }
  auto settings = std::move(draft).finish();
  if (!settings) {
    const auto& [word, value, line, text] = settings.error();
    return place.refuse(line, word, value, text);
  }
  return std::move(*settings);
}

/// Each section of one kind: [device.NAME], [ndp.IFACE].
Result<void> for_each_section(
    const toml::table& root, std::string_view kind, const TomlLocation& place,
    const std::function<Result<void>(const toml::key& name, const toml::node& section)>& read) {
  const toml::node* node = root.get(kind);
  if (node == nullptr) return {};
  const auto* sections = node->as_table();
  if (sections == nullptr || sections->empty()) {
    return place.refuse(line_of(*node), "", "",
                        "there is no " + std::string{kind} + " in it: add a section [" +
                            std::string{kind} + ".NAME]");
  }
  for (const auto& [name, section] : *sections) {
    if (auto done = read(name, section); !done) return done;
  }
  return {};
}

Result<void> read_ndp_section(Settings& all, const toml::key& interface, const toml::node& section,
                              const TomlLocation& place) {
  for (const host::DeviceSettings& device : all.devices) {
    if (device.config.device != interface.str()) continue;
    return place.refuse(line_of(interface), interface.str(), "",
                        "is a tunnel device, and neighbors are asked for on Ethernet: name the "
                        "interface on which the solicitations come in");
  }
  auto ndp = read_ndp(interface, section, place);
  if (!ndp) return Unexpected{ndp.error()};
  all.ndp.push_back(std::move(*ndp));
  return {};
}

Result<Settings> read_settings(const toml::table& root, const TomlLocation& place) {
  for (const auto& [key, node] : root) {
    if (key.str() == "device" || key.str() == "ndp") continue;
    return place.refuse(
        line_of(key), key.str(), "",
        "is unknown: a file holds [device.NAME] and [ndp.IFACE] sections and nothing else");
  }
  Settings all;
  auto done = for_each_section(root, "device", place, [&](const auto& name, const auto& section) {
    auto device = read_device(name.str(), section, place);
    if (!device) return Result<void>{Unexpected{device.error()}};
    all.devices.push_back(std::move(*device));
    return Result<void>{};
  });
  if (!done) return Unexpected{done.error()};
  done = for_each_section(root, "ndp", place, [&](const auto& interface, const auto& section) {
    return read_ndp_section(all, interface, section, place);
  });
  if (!done) return Unexpected{done.error()};
  if (all.devices.empty() && all.ndp.empty()) {
    return place.refuse(0, "", "",
                        "there is no device in it: add a section [device.NAME], or [ndp.IFACE]");
  }
  return all;
}

}  // namespace

Result<Settings> parse_config(std::string_view toml, std::string_view file) {
  const TomlLocation place{file};
  try {
    return read_settings(toml::parse(toml, file), place);
  } catch (const toml::parse_error& error) {
    return place.refuse(static_cast<unsigned>(error.source().begin.line), "", "",
                        "is not TOML: " + printable(error.description(), 300));
  }
}

Result<Settings> load_config(const std::string& path) {
  const auto text = read_text_file(path, "give the path of a readable file: --config FILE");
  if (!text) return Unexpected{text.error()};
  return parse_config(*text, path);
}

}  // namespace culvert::program
