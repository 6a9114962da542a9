#include "tools/culvert/config/config_builder.h"

#include <algorithm>
#include <utility>

#include "engine/model/encapsulation_names.h"
#include "engine/model/quoted.h"
#include "tools/culvert/config/encapsulation_options.h"
#include "tools/culvert/config/parse_value.h"

namespace culvert::program {
namespace {

/// The value for an error sentence. A flag on the command line has no value.
std::string value_text(const Option& word, const RawValue& given) {
  const bool is_command_line = given.line == 0;
  return word.kind == Option::Kind::flag && is_command_line ? "" : given.text;
}

/// Whether a value without a prefix length is probably a mistake: the address of a device, which
/// then has no subnet, or a network. A prefix or a route to one host is often meant.
bool lacks_length(const Option& word, std::string_view text) {
  if (word.kind != Option::Kind::list || text.find('/') != std::string_view::npos) return false;
  return word.name == "address" || text.ends_with("::") || text.ends_with(".0");
}

}  // namespace

// ---- a section ----------------------------------------------------------------------------------
const ConfigBuilder::Entry* ConfigBuilder::Section::find(std::string_view word) const {
  const auto found = std::find_if(entries.begin(), entries.end(),
                                  [&](const Entry& each) { return each.word->name == word; });
  return found == entries.end() ? nullptr : &*found;
}

/// The last entry of the list `word` whose value is this prefix, in any notation. Without one, the
/// first entry of the list.
const ConfigBuilder::Entry* ConfigBuilder::Section::find_prefix(std::string_view word,
                                                                std::string_view prefix) const {
  const auto is_same = [&](const Entry& each) {
    if (each.word->name != word) return false;
    const auto value = parse_route(each.given.text);
    return value && (value->is_ipv6 ? value->ipv6.to_text() : value->ipv4.to_text()) == prefix;
  };
  const auto found = std::find_if(entries.rbegin(), entries.rend(), is_same);
  return found == entries.rend() ? find(word) : &*found;
}

ConfigError ConfigBuilder::Section::make_error(std::string_view word, std::string text) const {
  const Entry* const entry = find(word);
  return {.word = std::string{word},
          .value = entry ? value_text(*entry->word, entry->given) : "",
          .line = entry ? entry->given.line : line,
          .text = std::move(text)};
}

// ---- its words ----------------------------------------------------------------------------------
ConfigBuilder::ConfigBuilder(std::string_view device, unsigned line) : section_{.line = line} {
  device_.config.device = device;
}

void ConfigBuilder::add_tunnel(unsigned line) {
  tunnels_.emplace_back();
  tunnels_.back().line = line;
}

void ConfigBuilder::change_tunnel(const TunnelConfig& tunnel) {
  add_tunnel();
  TunnelBuilder& builder = tunnels_.back().builder;
  builder = {.config = tunnel,
             .mode = tunnel.mode,
             .has_remote = true,
             .parameters = {},
             .has_old_prefixes = true,
             .has_old_accept = true};
  std::visit(
      [&](const auto& own) { std::get<std::decay_t<decltype(own)>>(builder.parameters) = own; },
      tunnel.mode);
}

Expected<void, ConfigError> ConfigBuilder::set(const Option& word, RawValue given) {
  const auto refuse = [&](std::string text) {
    return Unexpected{
        ConfigError{std::string{word.name}, value_text(word, given), given.line, std::move(text)}};
  };
  const bool is_device = word.scope == Option::Scope::device;
  if (!is_device && tunnels_.empty()) add_tunnel();
  Section& section = is_device ? section_ : tunnels_.back();
  if (word.kind != Option::Kind::list && section.find(word.name) != nullptr) {
    return refuse("is given twice: remove one of them");
  }
  TunnelBuilder none;
  TunnelBuilder& tunnel = is_device ? none : tunnels_.back().builder;
  if (const auto done = word.set({device_, tunnel}, given); !done) return refuse(done.error());
  if (lacks_length(word, given.text)) {
    device_.without_length.push_back(
        std::string{word.name} + " " + given.text +
        (given.line == 0 ? "" : " (line " + std::to_string(given.line) + ")"));
  }
  section.entries.push_back({&word, std::move(given)});
  return {};
}

// ---- all words together -------------------------------------------------------------------------

/// Finds words that are missing, exclude each other, or belong to another mode.
Expected<void, ConfigError> ConfigBuilder::check_words(const Tunnel& tunnel) {
  if (!tunnel.builder.mode) {
    return Unexpected{
        tunnel.make_error("mode", "is missing: write " + alternatives(encapsulation_names()))};
  }
  if (!tunnel.builder.has_remote) {
    return Unexpected{
        tunnel.make_error("remote", "is missing: write the IPv4 address of the remote endpoint")};
  }
  const std::string_view mode = encapsulation_name(*tunnel.builder.mode);
  for (const auto& [word, given] : tunnel.entries) {
    const auto modes = encapsulations_with_option(word->name);
    if (modes.empty()) continue;  // a word of every mode
    if (std::find(modes.begin(), modes.end(), mode) == modes.end()) {
      return Unexpected{tunnel.make_error(word->name, "is a word for mode " + alternatives(modes) +
                                                          ", and this is mode " +
                                                          std::string{mode} + ": leave it out")};
    }
    for (const std::string_view other : included_words(*tunnel.builder.mode, word->name)) {
      if (tunnel.find(other) != nullptr) {
        return Unexpected{tunnel.make_error(
            other, "is set by " + quoted(word->name) + " as well: write one of the two")};
      }
    }
  }
  return {};
}

/// Finds an address, route or prefix of an IP version that no mode of these tunnels carries.
Expected<void, ConfigError> ConfigBuilder::check_payload(const Section& section,
                                                         std::span<const TunnelConfig> tunnels) {
  const auto is_carried = [&](std::uint16_t protocol_type) {
    return std::any_of(tunnels.begin(), tunnels.end(), [&](const TunnelConfig& tunnel) {
      return carries(tunnel.mode, protocol_type);
    });
  };
  for (const auto& [word, given] : section.entries) {
    if (word->kind != Option::Kind::list) continue;
    std::uint16_t type = proto::kProtocolTypeIpv6, other_type = proto::kProtocolTypeIpv4;
    if (given.text.find(':') == std::string::npos) std::swap(type, other_type);
    if (is_carried(type)) continue;
    return Unexpected{ConfigError{std::string{word->name}, given.text, given.line,
                                  "is " + std::string{ip_version_name(type)} + ", and mode " +
                                      std::string{encapsulation_name(tunnels.front().mode)} +
                                      " carries " + std::string{ip_version_name(other_type)} +
                                      " only: leave it out, or use mode " +
                                      alternatives(encapsulations_that_carry(type))}};
  }
  return {};
}

Expected<void, ConfigError> ConfigBuilder::finish(Tunnel& tunnel) {
  if (auto checked = check_words(tunnel); !checked) return checked;
  TunnelBuilder& builder = tunnel.builder;
  dispatch(*builder.mode, [&](auto encapsulation, const auto&) {
    using Own = typename decltype(encapsulation)::Parameters;
    builder.config.mode = std::get<Own>(builder.parameters);
  });
  return check_payload(tunnel, {&builder.config, 1});
}

/// The error of a conflict between two tunnels. Its line is the second tunnel's; its text names the
/// line of the first.
ConfigError ConfigBuilder::to_config_error(const ConfigConflict& conflict) const {
  const Tunnel& first = tunnels_[conflict.first];
  const Tunnel& second = tunnels_[conflict.second];
  const auto line_of = [&](const Tunnel& tunnel) {
    const Entry* entry = conflict.word == "prefix" ? tunnel.find_prefix("prefix", conflict.value)
                                                   : tunnel.find(conflict.word);
    return entry ? entry->given.line : tunnel.line;
  };
  const unsigned first_line = line_of(first);
  std::string text = conflict.problem;
  if (conflict.first != conflict.second && first_line != 0) {
    text += " (line " + std::to_string(first_line) + ")";
  }
  return {.word = std::string{conflict.word},
          .value = conflict.value,
          .line = line_of(second),
          .text = text + ": " + conflict.advice};
}

/// The error of validate(). Its object is "mtu 1200", or "alice, ttl 0" if there are several
/// tunnels.
ConfigError ConfigBuilder::to_config_error(const Error& error) const {
  std::string_view object = error.object;
  const Section* section = tunnels_.size() == 1 ? &tunnels_.front() : &section_;
  for (const Tunnel& tunnel : tunnels_) {
    const std::string& name = tunnel.builder.config.name;
    if (name.empty() || !object.starts_with(name + ", ")) continue;
    section = &tunnel;
    object.remove_prefix(name.size() + 2);
    break;
  }
  const std::string_view word = object.substr(0, object.find(' '));
  if (word == "device") {
    return {std::string{word}, device_.config.device, section_.line, error.advice};
  }
  if (section_.find(word) != nullptr) section = &section_;
  return section->make_error(word, error.advice);
}

Expected<TunnelConfig, ConfigError> ConfigBuilder::finish_tunnel() && {
  if (const auto checked = finish(tunnels_.back()); !checked) return Unexpected{checked.error()};
  return std::move(tunnels_.back().builder.config);
}

Expected<host::DeviceSettings, ConfigError> ConfigBuilder::finish() && {
  if (tunnels_.empty()) add_tunnel();  // it has no words, so the error names the missing ones
  std::vector<TunnelConfig>& tunnels = device_.config.tunnels;
  tunnels.reserve(tunnels_.size());
  for (Tunnel& tunnel : tunnels_) {
    if (const auto checked = finish(tunnel); !checked) return Unexpected{checked.error()};
    tunnels.push_back(tunnel.builder.config);
  }
  if (const auto checked = check_payload(section_, tunnels); !checked) {
    return Unexpected{checked.error()};
  }
  if (tunnels.size() == 1 && tunnels[0].name.empty()) tunnels[0].name = device_.config.device;
  if (const auto conflict = find_conflict(tunnels)) return Unexpected{to_config_error(*conflict)};
  device_.config.needs_ipv6 = !host::is_ipv4_only(device_);
  if (const auto valid = validate(device_.config); !valid) {
    return Unexpected{to_config_error(valid.error())};
  }
  return std::move(device_);
}

}  // namespace culvert::program
