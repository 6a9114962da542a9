#include "tools/culvert/config/ndp_options.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <limits>
#include <map>
#include <type_traits>
#include <utility>

#include "tools/culvert/config/setters.h"

namespace culvert::program {
namespace {

using std::chrono::milliseconds;

constexpr std::pair<std::string_view, NdpAnswer> kAnswers[] = {
    {"static", NdpAnswer::always}, {"auto", NdpAnswer::automatic}, {"probe", NdpAnswer::probe}};

constexpr std::pair<std::string_view, NdpSource> kSources[] = {
    {"link-local", NdpSource::link_local},
    {"global", NdpSource::global},
    {"target", NdpSource::target}};

constexpr std::pair<std::string_view, NdpAnnounce> kAnnounceForms[] = {
    {"na", NdpAnnounce::advertisement},
    {"dad", NdpAnnounce::duplicate_detection},
    {"echo", NdpAnnounce::echo_request},
    {"true", NdpAnnounce::advertisement},
    {"false", NdpAnnounce::none}};

/// The first word that stands for a value.
template <class T, std::size_t kCount>
std::string_view word_of(const std::pair<std::string_view, T> (&words)[kCount], T value) {
  for (const auto& [word, meaning] : words)
    if (meaning == value) return word;
  return {};
}

enum class Scope : std::uint8_t { interface, probe, rule };

struct NdpWord {
  enum class Kind : std::uint8_t { text, text_or_flag, number, flag, list };
  std::string_view name;
  Scope scope;
  Kind kind;
  /// For a key of a rule: sets the last rule.
  Check (*set)(NdpConfig& config, const RawValue& given);
  std::string (*to_toml)(const NdpConfig& config);
};
using Kind = NdpWord::Kind;

std::string toml_string(std::string_view text) {
  std::string quoted{"\""};
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + "\"";
}

/// A TOML key: bare if its characters allow it, else in quotes, like "eth0.100".
std::string toml_key(std::string_view name) {
  constexpr std::string_view kBare =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
  const bool is_bare = !name.empty() && name.find_first_not_of(kBare) == std::string_view::npos;
  return is_bare ? std::string{name} : toml_string(name);
}

// ---- members to text and back -------------------------------------------------------------------
/// A member of the configuration, of its `probe`, or of its last rule.
template <auto kMember, class Config>
auto& member(Config& config) {
  if constexpr (std::is_invocable_v<decltype(kMember), const NdpConfig&>) {
    return config.*kMember;
  } else if constexpr (std::is_invocable_v<decltype(kMember), const NdpProbe&>) {
    return config.probe.*kMember;
  } else {
    return config.rules.back().*kMember;
  }
}

/// validate() checks the range.
template <auto kMember>
Check set_number(NdpConfig& config, const RawValue& given) {
  const auto number = parse_number(given.text, 0, std::numeric_limits<std::uint32_t>::max());
  if (!number) return Unexpected{number.error()};
  auto& to = member<kMember>(config);
  to = static_cast<std::remove_reference_t<decltype(to)>>(*number);
  return {};
}
template <auto kMember>
std::string number_to_toml(const NdpConfig& config) {
  const auto& value = member<kMember>(config);
  if constexpr (std::is_same_v<decltype(value), const milliseconds&>) {
    return std::to_string(value.count());
  } else {
    return std::to_string(value);
  }
}

template <auto kMember>
Check set_flag(NdpConfig& config, const RawValue& given) {
  return store(parse_flag(given.text), member<kMember>(config));
}
template <auto kMember>
std::string flag_to_toml(const NdpConfig& config) {
  return member<kMember>(config) ? "true" : "false";
}

Value<proto::Ipv6Prefix> parse_target_prefix(std::string_view text) {
  auto prefix = parse_route(text);
  if (!prefix) return Unexpected{prefix.error()};
  if (!prefix->is_ipv6)
    return Unexpected{std::string{
        "is IPv4, but neighbor discovery is a protocol of IPv6: write an IPv6 prefix like "
        "2001:db8::/64"}};
  return prefix->ipv6;
}

template <auto kMember>
Check add_prefix(NdpConfig& config, const RawValue& given) {
  const auto prefix = parse_target_prefix(given.text);
  if (!prefix) return Unexpected{prefix.error()};
  return append(member<kMember>(config), *prefix);
}
template <auto kMember>
std::string prefixes_to_toml(const NdpConfig& config) {
  std::string text;
  for (const auto& prefix : member<kMember>(config)) {
    text += (text.empty() ? "\"" : ", \"") + prefix.to_text() + "\"";
  }
  return "[" + text + "]";
}

Check set_prefix(NdpConfig& config, const RawValue& given) {
  return store(parse_target_prefix(given.text), config.rules.back().prefix);
}
std::string prefix_to_toml(const NdpConfig& config) {
  return "\"" + config.rules.back().prefix.to_text() + "\"";
}

Check add_interface(NdpConfig& config, const RawValue& given) {
  config.rules.back().interfaces.push_back(std::string{given.text});
  return {};
}
std::string interfaces_to_toml(const NdpConfig& config) {
  std::string text;
  for (const auto& name : config.rules.back().interfaces)
    text += (text.empty() ? "" : ", ") + toml_string(name);
  return "[" + text + "]";
}

Check set_answer(NdpConfig& config, const RawValue& given) {
  return choose(given, kAnswers, config.rules.back().answer);
}
std::string answer_to_toml(const NdpConfig& config) {
  return "\"" + std::string{answer_word(config.rules.back().answer)} + "\"";
}

Check set_source(NdpConfig& config, const RawValue& given) {
  return choose(given, kSources, config.source);
}
std::string source_to_toml(const NdpConfig& config) {
  return toml_string(source_word(config.source));
}

Check set_announce(NdpConfig& config, const RawValue& given) {
  return choose(given, kAnnounceForms, config.announce);
}
std::string announce_to_toml(const NdpConfig& config) {
  const std::string_view word = word_of(kAnnounceForms, config.announce);
  return config.announce == NdpAnnounce::none ? std::string{word} : toml_string(word);
}

// ---- the table ----------------------------------------------------------------------------------
template <auto kMember>
constexpr NdpWord number(std::string_view name, Scope scope = Scope::interface) {
  return {name, scope, Kind::number, set_number<kMember>, number_to_toml<kMember>};
}
template <auto kMember>
constexpr NdpWord flag(std::string_view name, Scope scope = Scope::interface) {
  return {name, scope, Kind::flag, set_flag<kMember>, flag_to_toml<kMember>};
}
template <auto kMember>
constexpr NdpWord list(std::string_view name, Scope scope) {
  return {name, scope, Kind::list, add_prefix<kMember>, prefixes_to_toml<kMember>};
}

constexpr auto kWords = std::to_array<NdpWord>({
    flag<&NdpConfig::router>("router"),
    list<&NdpConfig::except>("except", Scope::interface),
    number<&NdpConfig::answers_per_second>("answers_per_second"),
    number<&NdpConfig::answers_per_second_per_source>("answers_per_second_per_source"),
    number<&NdpConfig::delay>("delay"),
    {"source", Scope::interface, Kind::text, set_source, source_to_toml},
    {"announce", Scope::interface, Kind::text_or_flag, set_announce, announce_to_toml},
    number<&NdpConfig::on_link>("on_link"),
    number<&NdpConfig::on_link_ttl>("on_link_ttl"),
    number<&NdpProbe::timeout>("timeout", Scope::probe),
    number<&NdpProbe::tries>("tries", Scope::probe),
    number<&NdpProbe::alive_ttl>("alive_ttl", Scope::probe),
    number<&NdpProbe::dead_ttl>("dead_ttl", Scope::probe),
    number<&NdpProbe::per_second>("per_second", Scope::probe),
    number<&NdpProbe::cache>("cache", Scope::probe),
    {"prefix", Scope::rule, Kind::text, set_prefix, prefix_to_toml},
    {"answer", Scope::rule, Kind::text, set_answer, answer_to_toml},
    {"interface", Scope::rule, Kind::list, add_interface, interfaces_to_toml},
    flag<&NdpRule::wire>("wire", Scope::rule),
    list<&NdpRule::except>("except", Scope::rule),
});

const NdpWord* find(std::string_view name, Scope scope) {
  const auto* word = std::find_if(kWords.begin(), kWords.end(), [&](const NdpWord& each) {
    return each.scope == scope && each.name == name;
  });
  return word == kWords.end() ? nullptr : word;
}

/// The error text for a value of the wrong TOML type.
std::string describe_type(Kind kind) {
  switch (kind) {
    case Kind::text:
      return "must be a string";
    case Kind::text_or_flag:
      return "must be a string, true or false";
    case Kind::number:
      return "must be an integer";
    case Kind::flag:
      return "must be true or false";
    case Kind::list:
      break;
  }
  return "must be a string or an array of strings";
}

bool has_type(Kind kind, const toml::node& node) {
  switch (kind) {
    case Kind::number:
      return node.is_integer();
    case Kind::flag:
      return node.is_boolean();
    case Kind::text_or_flag:
      return node.is_string() || node.is_boolean();
    default:
      return node.is_string();
  }
}

// ---- one section --------------------------------------------------------------------------------
class Section {
 public:
  Section(std::string_view interface, const toml::table& section, const TomlLocation& location)
      : section_(section), location_(location), brackets_("ndp." + std::string{interface}) {
    config_.interface = interface;
  }

  Result<NdpConfig> read() {
    if (auto done = set_keys(section_, Scope::interface); !done) return Unexpected{done.error()};
    if (auto done = read_probe(); !done) return Unexpected{done.error()};
    if (auto done = read_rules(); !done) return Unexpected{done.error()};
    if (const auto valid = validate(config_); !valid) return refuse_invalid(valid.error());
    return std::move(config_);
  }

 private:
  /// A value that validate() may refuse, as written.
  struct WrittenValue {
    std::string_view key;
    std::string value;
    unsigned line;
  };

  Result<void> set_keys(const toml::table& table, Scope scope);
  Result<void> set_one(const NdpWord& word, const toml::node& node);
  Result<void> read_probe();
  Result<void> read_rules();
  Result<void> read_rule(const toml::table& table);
  /// Notes the values of a list of a rule, for errors. `object`: the rule's, in validate()'s errors.
  void note_list(const std::string& object, std::string_view key, const toml::table& table,
                 const std::vector<std::string>& values);
  Unexpected<Error> refuse_key(const toml::key& key, Scope scope) const;
  Unexpected<Error> refuse_invalid(const Error& error) const;

  const toml::table& section_;
  const TomlLocation& location_;
  std::string brackets_;  ///< "ndp.eth0"
  NdpConfig config_;
  std::map<std::string, WrittenValue> values_;  ///< by the object of validate()'s error
};

Unexpected<Error> Section::refuse_key(const toml::key& key, Scope scope) const {
  std::vector<std::string_view> names;
  for (const NdpWord& word : kWords) {
    if (word.scope == scope) names.push_back(word.name);
  }
  if (scope == Scope::interface) names.insert(names.end(), {"probe", "rule"});
  for (const Scope other : {Scope::interface, Scope::probe, Scope::rule}) {
    if (find(key.str(), other) == nullptr) continue;
    const std::string header = other == Scope::rule    ? "[[" + brackets_ + ".rule]]"
                               : other == Scope::probe ? "[" + brackets_ + ".probe]"
                                                       : "[" + brackets_ + "]";
    return location_.refuse(line_of(key), key.str(), "", "belongs in the " + header + " section");
  }
  return location_.refuse_unknown(key, names);
}

Result<void> Section::set_keys(const toml::table& table, Scope scope) {
  for (const auto& [key, node] : table) {
    if (scope == Scope::interface && (key.str() == "probe" || key.str() == "rule")) continue;
    const NdpWord* word = find(key.str(), scope);
    if (word == nullptr) return refuse_key(key, scope);
    const auto* list = node.as_array();
    if (list != nullptr && word->kind != Kind::list) {
      return location_.refuse(line_of(node), word->name, "", describe_type(word->kind));
    }
    if (list == nullptr) {
      if (auto set = set_one(*word, node); !set) return set;
      continue;
    }
    for (const auto& element : *list) {
      if (auto set = set_one(*word, element); !set) return set;
    }
  }
  return {};
}

Result<void> Section::set_one(const NdpWord& word, const toml::node& node) {
  const auto given = to_raw_value(node);
  if (!given || !has_type(word.kind, node)) {
    return location_.refuse(line_of(node), word.name, given ? given->text : "",
                            describe_type(word.kind));
  }
  if (const auto set = word.set(config_, *given); !set) {
    return location_.refuse(given->line, word.name, given->text, set.error());
  }
  if (word.scope == Scope::rule) return {};  // read_rule() stores it by the rule's prefix
  const std::string object = (word.scope == Scope::probe ? "probe " : "") + std::string{word.name};
  const std::string value =
      word.kind == Kind::list ? config_.except.back().to_text() : word.to_toml(config_);
  values_[object + " " + value] = {word.name, given->text, given->line};
  return {};
}

Result<void> Section::read_probe() {
  const toml::node* node = section_.get("probe");
  if (node == nullptr) return {};
  const auto* table = node->as_table();
  if (table == nullptr) {
    return location_.refuse(line_of(*node), "probe", "",
                            "must be a section: [" + brackets_ + ".probe]");
  }
  return set_keys(*table, Scope::probe);
}

Result<void> Section::read_rules() {
  const std::string brackets = "[[" + brackets_ + ".rule]]";
  const toml::node* node = section_.get("rule");
  const auto* rules = node == nullptr ? nullptr : node->as_array();
  if (node == nullptr || (rules != nullptr && rules->empty())) {
    return location_.refuse(line_of(section_), "rule", "",
                            "is missing: add a section " + brackets + " with prefix and answer");
  }
  if (rules == nullptr || !rules->is_array_of_tables()) {
    return location_.refuse(line_of(*node), "rule", "",
                            "must be a section with two brackets: " + brackets);
  }
  for (const auto& rule : *rules) {
    if (auto read = read_rule(*rule.as_table()); !read) return read;
  }
  return {};
}

Result<void> Section::read_rule(const toml::table& table) {
  config_.rules.emplace_back();
  if (auto set = set_keys(table, Scope::rule); !set) return set;
  const toml::node* prefix = table.get("prefix");
  if (prefix == nullptr) {
    return location_.refuse(
        line_of(table), "prefix", "",
        "is missing: write the prefix of the targets, like \"2001:db8:0:1::/64\"");
  }
  const NdpRule& rule = config_.rules.back();
  const std::string object = "rule " + rule.prefix.to_text();
  values_[object] = {"prefix", rule.prefix.to_text(), line_of(*prefix)};
  std::vector<std::string> excepts;
  for (const auto& each : rule.except) excepts.push_back(each.to_text());
  note_list(object, "except", table, excepts);
  note_list(object, "interface", table, rule.interfaces);
  if (const toml::node* wire = table.get("wire"))
    values_[object + ": wire true"] = {"wire", "true", line_of(*wire)};
  return {};
}

void Section::note_list(const std::string& object, std::string_view key, const toml::table& table,
                        const std::vector<std::string>& values) {
  const toml::node* node = table.get(key);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto* list = node->as_array();
    const unsigned line = line_of(list == nullptr ? *node : *list->get(i));
    values_[object + ": " + std::string{key} + " " + values[i]] = {key, values[i], line};
  }
}

Unexpected<Error> Section::refuse_invalid(const Error& error) const {
  if (const auto found = values_.find(error.object); found != values_.end()) {
    const auto& [key, value, line] = found->second;
    return location_.refuse(line, key, value, error.advice);
  }
  return location_.refuse(line_of(section_), config_.interface, "", error.advice);
}

}  // namespace

std::string_view answer_word(NdpAnswer answer) { return word_of(kAnswers, answer); }

std::string_view source_word(NdpSource source) { return word_of(kSources, source); }

Result<NdpConfig> read_ndp(const toml::key& interface, const toml::node& section,
                           const TomlLocation& location) {
  const auto* table = section.as_table();
  if (table == nullptr) {
    return location.refuse(line_of(section), interface.str(), "", "must be a section: [ndp.IFACE]");
  }
  return Section{interface.str(), *table, location}.read();
}

std::string ndp_toml(const NdpConfig& config) {
  NdpConfig defaults;
  defaults.rules.emplace_back();
  const auto keys = [&](Scope scope, const NdpConfig& of) {
    std::string text;
    for (const NdpWord& word : kWords) {
      if (word.scope != scope) continue;
      const std::string value = word.to_toml(of);
      const bool is_needed = scope == Scope::rule && word.kind == Kind::text;
      const bool is_written = is_needed || value != word.to_toml(defaults);
      if (is_written) text += std::string{word.name} + " = " + value + "\n";
    }
    return text;
  };
  const std::string name = "ndp." + toml_key(config.interface);
  std::string text = "[" + name + "]\n" + keys(Scope::interface, config);
  if (const std::string probe = keys(Scope::probe, config); !probe.empty()) {
    text += "[" + name + ".probe]\n" + probe;
  }
  for (const NdpRule& rule : config.rules) {
    NdpConfig one;
    one.rules = {rule};
    text += "[[" + name + ".rule]]\n" + keys(Scope::rule, one);
  }
  return text;
}

}  // namespace culvert::program
