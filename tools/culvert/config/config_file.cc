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

/// The error text for a value of the wrong TOML type.
std::string describe_type(const Option& word) {
  if (word.kind == Option::Kind::flag) return "must be true or false";
  if (word.kind == Option::Kind::list)
    return "must be an array of strings, like [\"2001:db8::1/64\"]";
  return "must be a string or an integer: " + std::string{word.argument};
}

Result<void> set_scalar(ConfigBuilder& builder, const Option& word, const toml::node& node,
                        const TomlLocation& location) {
  const auto given = to_raw_value(node);
  if (!given) return location.refuse(line_of(node), word.name, "", describe_type(word));
  const bool wants_flag = word.kind == Option::Kind::flag;
  if (wants_flag ? !node.is_boolean() : !node.is_string() && !node.is_integer()) {
    return location.refuse(given->line, word.name, given->text, describe_type(word));
  }
  if (const auto set = builder.set(word, *given); !set) {
    return location.refuse(given->line, word.name, given->text, set.error().text);
  }
  return {};
}

Result<void> set_word(ConfigBuilder& builder, const Option& word, const toml::node& node,
                      const TomlLocation& location) {
  const auto* list = node.as_array();
  if (list == nullptr) return set_scalar(builder, word, node, location);
  if (word.kind != Option::Kind::list) {
    return location.refuse(line_of(node), word.name, "", "takes one value, not an array");
  }
  if (list->empty() && word.name == "accept") {  // ambiguous: it could mean to accept nothing
    return location.refuse(
        line_of(node), word.name, "",
        "is empty: write the inner source prefixes that the tunnel may bring in, or "
        "leave out the key");
  }
  for (const auto& element : *list) {
    if (const auto set = set_scalar(builder, word, element, location); !set) return set;
  }
  return {};
}

Unexpected<Error> refuse_unknown(const toml::key& key, Option::Scope scope,
                                 const TomlLocation& location) {
  if (const Option* word = find_option(key.str()); word != nullptr && word->scope != scope) {
    return location.refuse(line_of(key), key.str(), "",
                           scope == Option::Scope::device
                               ? "belongs in the [[device.NAME.tunnel]] section"
                               : "belongs in the [device.NAME] section");
  }
  std::vector<std::string_view> names;
  for (const Option& word : options()) {
    if (word.scope == scope) names.push_back(word.name);
  }
  if (scope == Option::Scope::device) names.push_back("tunnel");
  return location.refuse_unknown(key, names);
}

/// Sets each key of one section. Skips `tunnel` in a device's section.
Result<void> set_section(ConfigBuilder& builder, const toml::table& section, Option::Scope scope,
                         const TomlLocation& location) {
  for (const auto& [key, node] : section) {
    if (scope == Option::Scope::device && key.str() == "tunnel") continue;
    const Option* word = find_option(key.str());
    // The aliases are for the command line, as `ip` has them. A file has one name for each key.
    const bool is_known = word != nullptr && word->scope == scope && word->name == key.str();
    if (!is_known) return refuse_unknown(key, scope, location);
    if (const auto set = set_word(builder, *word, node, location); !set) return set;
  }
  return {};
}

/// The tunnel tables of a device. Fails if there is none.
Result<const toml::array*> find_tunnels(std::string_view device, const toml::table& section,
                                        const TomlLocation& location) {
  const std::string brackets = "[[device." + std::string{device} + ".tunnel]]";
  const toml::node* node = section.get("tunnel");
  const auto* tunnels = node == nullptr ? nullptr : node->as_array();
  if (node == nullptr || (tunnels != nullptr && tunnels->empty())) {
    return location.refuse(line_of(section), "tunnel", "",
                           "is missing: add a section " + brackets + " with mode and remote");
  }
  if (tunnels == nullptr || !tunnels->is_array_of_tables()) {
    return location.refuse(line_of(*node), "tunnel", "",
                           "must be a section with two brackets: " + brackets);
  }
  return tunnels;
}

/// The lines of the tunnels, which are in the order of their sections.
std::shared_ptr<const host::FileLines> file_lines(const TomlLocation& location,
                                                  const toml::array& sections,
                                                  const std::vector<TunnelConfig>& tunnels) {
  host::FileLines lines{.file = std::string{location.file()}, .tunnels = {}};
  for (std::size_t i = 0; i < tunnels.size(); ++i)
    lines.tunnels.emplace(tunnels[i].name, line_of(sections[i]));
  return std::make_shared<const host::FileLines>(std::move(lines));
}

Result<host::DeviceSettings> read_device(std::string_view name, const toml::node& node,
                                         const TomlLocation& location) {
  const auto* section = node.as_table();
  if (section == nullptr) {
    return location.refuse(line_of(node), name, "", "must be a section: [device.NAME]");
  }
  ConfigBuilder builder{name, line_of(*section)};
  if (const auto set = set_section(builder, *section, Option::Scope::device, location); !set) {
    return Unexpected{set.error()};
  }
  const auto tunnels = find_tunnels(name, *section, location);
  if (!tunnels) return Unexpected{tunnels.error()};
  for (const toml::node& tunnel : **tunnels) {
    builder.add_tunnel(line_of(tunnel));
    if (const auto set = set_section(builder, *tunnel.as_table(), Option::Scope::tunnel, location);
        !set) {
      return Unexpected{set.error()};
    }
  }
  auto settings = std::move(builder).finish();
  if (!settings) {
    const auto& [word, value, line, text] = settings.error();
    return location.refuse(line, word, value, text);
  }
  settings->lines = file_lines(location, **tunnels, settings->config.tunnels);
  return std::move(*settings);
}

/// Calls `read` for each section of one kind: `device` or `ndp`. Stops at the first error.
Result<void> for_each_section(
    const toml::table& root, std::string_view kind, const TomlLocation& location,
    const std::function<Result<void>(const toml::key& name, const toml::node& section)>& read) {
  const toml::node* node = root.get(kind);
  if (node == nullptr) return {};
  const auto* sections = node->as_table();
  if (sections == nullptr || sections->empty()) {
    return location.refuse(line_of(*node), "", "",
                           "contains no " + std::string{kind} + " section: add a section [" +
                               std::string{kind} + ".NAME]");
  }
  for (const auto& [name, section] : *sections) {
    if (auto done = read(name, section); !done) return done;
  }
  return {};
}

Result<void> read_ndp_section(Settings& all, const toml::key& interface, const toml::node& section,
                              const TomlLocation& location) {
  for (const host::DeviceSettings& device : all.devices) {
    if (device.config.device != interface.str()) continue;
    return location.refuse(
        line_of(interface), interface.str(), "",
        "is a tunnel device, but neighbor discovery needs an Ethernet interface: name "
        "the interface on which solicitations arrive");
  }
  auto ndp = read_ndp(interface, section, location);
  if (!ndp) return Unexpected{ndp.error()};
  all.ndp.push_back(std::move(*ndp));
  return {};
}

Result<Settings> read_settings(const toml::table& root, const TomlLocation& location) {
  for (const auto& [key, node] : root) {
    if (key.str() == "device" || key.str() == "ndp") continue;
    return location.refuse(line_of(key), key.str(), "",
                           "is unknown: a file has only [device.NAME] and [ndp.IFACE] sections");
  }
  Settings all;
  auto done =
      for_each_section(root, "device", location, [&](const auto& name, const auto& section) {
        auto device = read_device(name.str(), section, location);
        if (!device) return Result<void>{Unexpected{device.error()}};
        all.devices.push_back(std::move(*device));
        return Result<void>{};
      });
  if (!done) return Unexpected{done.error()};
  done = for_each_section(root, "ndp", location, [&](const auto& interface, const auto& section) {
    return read_ndp_section(all, interface, section, location);
  });
  if (!done) return Unexpected{done.error()};
  if (all.devices.empty() && all.ndp.empty()) {
    return location.refuse(0, "", "",
                           "contains no section: add a section [device.NAME] or [ndp.IFACE]");
  }
  return all;
}

}  // namespace

Result<Settings> parse_config(std::string_view toml, std::string_view file) {
  const TomlLocation location{file};
  try {
    return read_settings(toml::parse(toml, file), location);
  } catch (const toml::parse_error& error) {
    return location.refuse(static_cast<unsigned>(error.source().begin.line), "", "",
                           "is not TOML: " + printable(error.description(), 300));
  }
}

Result<Settings> load_config(const std::string& path) {
  const auto text = read_text_file(path, "write the path of a readable file: --config FILE");
  if (!text) return Unexpected{text.error()};
  return parse_config(*text, path);
}

}  // namespace culvert::program
