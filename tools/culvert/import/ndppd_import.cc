#include "tools/culvert/import/ndppd_import.h"

#include <algorithm>
#include <map>
#include <utility>

#include "engine/model/device_name.h"
#include "engine/ndp/ndp_config.h"
#include "tools/culvert/config/ndp_options.h"
#include "tools/culvert/config/parse_value.h"
#include "tools/culvert/import/ndppd_keys.h"

namespace culvert::program {
namespace {

using std::chrono::milliseconds;
using Statements = std::vector<NdppdStatement>;

std::string in_line(unsigned line) { return "line " + std::to_string(line); }

// ---- the file -----------------------------------------------------------------------------------
class Importer {
 public:
  Importer(const NdppdFile& source, std::string_view file) : source_(source), file_(file) {
    if (is_old()) return;
    probe_.timeout = milliseconds{1000};  // 1.0's defaults; 0.2's are ours, except deadtime
    probe_.dead_ttl = milliseconds{10'000};
  }

  Result<Imported> run();

 private:
  /// The keys of a block, each with its index in the report.
  using KeyIndexes = std::map<std::string, std::size_t>;
  struct Rule {
    std::size_t report;
    NdpRule rule;
  };
  struct Section {
    std::size_t report;
    NdpConfig config;
    std::vector<Rule> rules;
    KeyIndexes keys;
  };

  Result<void> import_proxy(const NdppdStatement& statement);
  Result<void> import_rule(const NdppdStatement& statement, Section& section);
  Result<NdpRule> read_prefix(const NdppdStatement& statement) const;
  std::string find_fault(const NdppdStatement& statement, const NdpConfig& section,
                         const NdpRule& rule) const;
  void import_key(const NdppdStatement& statement, NdppdLevel level, const NdppdTarget& into,
                  KeyIndexes& indexes, bool is_joined = false);
  bool import_repeated(const NdppdStatement& statement, std::size_t earlier, bool is_joined);
  Outcome explain_unknown(const NdppdStatement& statement, NdppdLevel level) const;
  void ignore_block(const NdppdStatement& statement);
  void join_equal(Section& section);
  void compare_nested(const Section& section);
  void leave_out_probe(const KeyIndexes& indexes);
  void finish(Section& section);
  std::string summary() const;

  std::size_t report(const NdppdStatement& statement, Outcome outcome);
  /// Adds to a line of the report. The worse fate wins.
  void amend(std::size_t at, const Outcome& outcome);
  std::string line_of_report(std::size_t at) const { return in_line(result_.keys[at].line); }
  Unexpected<Error> refuse(const NdppdStatement& statement, std::string text) const;
  bool is_old() const { return source_.dialect == NdppdDialect::v0_2; }
  std::string program() const { return is_old() ? "ndppd 0.2" : "ndppd 1.0"; }

  const NdppdFile& source_;
  std::string_view file_;
  Imported result_;
  NdpProbe probe_;   ///< of all sections, in 1.0
  KeyIndexes keys_;  ///< of the top of the file
  std::vector<Section> sections_;
};

std::size_t Importer::report(const NdppdStatement& statement, Outcome outcome) {
  result_.keys.push_back(
      {statement.line, statement.key, statement.value, outcome.fate, std::move(outcome.text)});
  return result_.keys.size() - 1;
}

void Importer::amend(std::size_t at, const Outcome& outcome) {
  ImportedKey& key = result_.keys[at];
  key.fate = std::max(key.fate, outcome.fate);
  key.text += (key.text.empty() ? "" : "; ") + outcome.text;
}

Unexpected<Error> Importer::refuse(const NdppdStatement& statement, std::string text) const {
  std::string object =
      std::string{file_} + ", " + in_line(statement.line) + ", key " + quoted(statement.key);
  if (!statement.value.empty()) object += ", value " + quoted(statement.value);
  return Unexpected{
      Error{.code = 0, .operation = "import", .object = object, .advice = std::move(text)}};
}

Result<Imported> Importer::run() {
  bool has_proxy = false;
  for (const NdppdStatement& statement : source_.statements) {
    if (statement.key != "proxy") {
      import_key(statement, NdppdLevel::top, {source_.dialect, probe_, nullptr, nullptr}, keys_);
      continue;
    }
    has_proxy = true;
    if (auto imported = import_proxy(statement); !imported) return Unexpected{imported.error()};
  }
  if (!has_proxy) {
    return Unexpected{Error{.code = 0,
                            .operation = "import",
                            .object = std::string{file_},
                            .advice = "there is no `proxy IFACE { ... }` in it: write the path of "
                                      "an ndppd.conf"}};
  }
  for (Section& section : sections_) finish(section);
  if (result_.toml.find(".probe]") == std::string::npos) leave_out_probe(keys_);
  result_.summary = summary();
  return std::move(result_);
}

// ---- sections -----------------------------------------------------------------------------------
Result<void> Importer::import_proxy(const NdppdStatement& statement) {
  if (auto name = check_interface_name("proxy", statement.value); !name) {
    return refuse(statement, "is not an interface name: " + name.error().advice);
  }
  const auto same = std::find_if(sections_.begin(), sections_.end(), [&](const Section& each) {
    return each.config.interface == statement.value;
  });
  const bool is_joined = same != sections_.end();
  if (is_joined) {
    report(statement,
           differs("culvert has one section for each interface: joined with the section of " +
                   line_of_report(same->report)));
  } else {
    sections_.emplace_back();
    sections_.back().report = report(statement, mapped("[ndp." + statement.value + "]"));
    sections_.back().config.interface = statement.value;
  }
  Section& section = is_joined ? *same : sections_.back();
  if (!statement.block) return {};
  const KeyIndexes before = section.keys;
  for (const NdppdStatement& inner : *statement.block) {
    if (inner.key == "rule") {
      if (auto imported = import_rule(inner, section); !imported) return imported;
      continue;
    }
    NdpProbe& probe = is_old() ? section.config.probe : probe_;
    const bool is_in_other_block = before.contains(inner.key);
    import_key(inner, NdppdLevel::proxy, {source_.dialect, probe, &section.config, nullptr},
               section.keys, is_in_other_block);
  }
  return {};
}

Result<NdpRule> Importer::read_prefix(const NdppdStatement& statement) const {
  const auto prefix = proto::Ipv6Prefix::from_text(statement.value);
  if (!prefix) {
    return refuse(
        statement,
        "is not an IPv6 address with or without a prefix length: write it like 2001:db8::/64");
  }
  return NdpRule{.prefix = prefix->network(), .answer = {}, .except = {}};
}

/// Why a rule is unsupported; empty: it is supported.
std::string Importer::find_fault(const NdppdStatement& statement, const NdpConfig& section,
                                 const NdpRule& rule) const {
  const Statements none;
  const Statements& keys = statement.block ? *statement.block : none;
  const auto has = [&](std::string_view key) {
    return std::any_of(keys.begin(), keys.end(), [&](const auto& each) { return each.key == key; });
  };
  const int methods = int{has("static")} + int{has("auto")} + int{has("iface")};
  if (methods == 0) {
    return is_old() ? "it has none of static, auto and iface: ndppd 0.2.5 refuses the file, and "
                      "older versions use static; write one of them"
                    : "it has none of static, auto and iface: ndppd 1.0 refuses the file";
  }
  if (methods > 1)
    return program() + " refuses a rule with more than one of static, auto and iface";
  NdpConfig alone;
  alone.interface = section.interface;
  alone.rules = {rule};
  const auto valid = validate(alone);
  return valid ? "" : valid.error().advice;
}

Result<void> Importer::import_rule(const NdppdStatement& statement, Section& section) {
  auto rule = read_prefix(statement);
  if (!rule) return Unexpected{rule.error()};
  const std::string prefix = rule->prefix.to_text();
  const std::size_t at = report(statement, mapped("prefix = \"" + prefix + "\""));
  const std::string fault = find_fault(statement, section.config, *rule);
  if (statement.block) {
    KeyIndexes indexes;
    for (const NdppdStatement& inner : *statement.block) {
      if (inner.key == "iface" && inner.value.empty()) return refuse(inner, "names no interface");
      import_key(inner, NdppdLevel::rule, {source_.dialect, probe_, &section.config, &*rule},
                 indexes);
    }
  }
  if (fault.empty()) {
    section.rules.push_back({at, std::move(*rule)});
  } else {
    amend(at, unsupported("left out: " + fault));
  }
  return {};
}

// ---- keys ---------------------------------------------------------------------------------------
void Importer::import_key(const NdppdStatement& statement, NdppdLevel level,
                          const NdppdTarget& into, KeyIndexes& indexes, bool is_joined) {
  const auto keys = ndppd_keys();
  const auto key = std::find_if(keys.begin(), keys.end(), [&](const NdppdKey& each) {
    return each.name == statement.key && each.level == level && each.dialect == source_.dialect;
  });
  const auto earlier = indexes.find(statement.key);
  if (key == keys.end()) {
    report(statement, explain_unknown(statement, level));
  } else if (earlier == indexes.end() || !import_repeated(statement, earlier->second, is_joined)) {
    indexes[statement.key] = report(statement, key->map(into, statement.value));
  }
  ignore_block(statement);
}

/// Reports a key that its block already has. Returns false if the later value counts.
bool Importer::import_repeated(const NdppdStatement& statement, std::size_t earlier,
                               bool is_joined) {
  const std::string where = line_of_report(earlier);
  if (is_joined && result_.keys[earlier].value == statement.value) {
    report(statement, mapped("as in " + where));
    return true;
  }
  if (is_joined) {
    report(statement, unsupported("the section of this interface has one value, from " + where));
    return true;
  }
  if (is_old()) {
    report(statement, ignored("ndppd 0.2 uses the first value, in " + where));
    return true;
  }
  amend(earlier, ignored("ndppd 1.0 uses the last value, in " + in_line(statement.line)));
  return false;
}

Outcome Importer::explain_unknown(const NdppdStatement& statement, NdppdLevel level) const {
  if (!is_old()) return unsupported("ndppd 1.0 does not know this key here, and refuses the file");
  std::vector<std::string_view> names;
  if (level == NdppdLevel::top) names.push_back("proxy");
  if (level == NdppdLevel::proxy) names.push_back("rule");
  for (const NdppdKey& key : ndppd_keys()) {
    if (key.dialect != source_.dialect) continue;
    if (key.level == level) names.push_back(key.name);
    if (key.name == statement.key) {
      return ignored(
          key.level == NdppdLevel::top     ? "ndppd 0.2 knows this key only at the top of the file"
          : key.level == NdppdLevel::proxy ? "ndppd 0.2 knows this key only in a proxy section"
                                           : "ndppd 0.2 knows this key only in a rule");
    }
  }
  const std::string_view near = nearest(statement.key, names);
  if (!near.empty())
    return ignored("ndppd 0.2 does not know this key: is " + quoted(near) + " meant?");
  return ignored("ndppd 0.2 does not know this key here");
}

/// Reports the keys in the block of a key that has no block, or is unknown.
void Importer::ignore_block(const NdppdStatement& statement) {
  if (!statement.block) return;
  for (const NdppdStatement& inner : *statement.block) {
    report(inner, ignored("is in the block of " + quoted(statement.key) + " in " +
                          in_line(statement.line) + ", which ndppd does not read"));
    ignore_block(inner);
  }
}

// ---- several rules: ndppd uses their order, culvert the longest prefix --------------------------
/// Joins rules with the same prefix. ndppd 1.0 uses the first rule that matches. ndppd 0.2 tries
/// all rules, up to one with `static`.
void Importer::join_equal(Section& section) {
  std::vector<Rule> kept;
  for (Rule& each : section.rules) {
    const auto first = std::find_if(kept.begin(), kept.end(), [&](const Rule& other) {
      return other.rule.prefix == each.rule.prefix;
    });
    if (first == kept.end()) {
      kept.push_back(std::move(each));
      continue;
    }
    const std::string where = line_of_report(first->report);
    if (!is_old()) {
      amend(each.report, ignored("has the prefix of " + where + ", so it is never used"));
    } else if (first->rule.answer == each.rule.answer) {
      amend(each.report, mapped("the same as in " + where));
    } else {
      if (each.rule.answer == NdpAnswer::always) first->rule.answer = NdpAnswer::always;
      amend(each.report, differs("has the prefix of " + where +
                                 ": ndppd tries both, but culvert has one "
                                 "rule with answer = \"" +
                                 std::string{answer_word(first->rule.answer)} + "\""));
    }
  }
  section.rules = std::move(kept);
}

/// Reports rules whose prefix is in the prefix of another rule, if the two programs then differ.
void Importer::compare_nested(const Section& section) {
  for (std::size_t i = 0; i < section.rules.size(); ++i) {
    const auto& [report, inner] = section.rules[i];
    for (std::size_t j = 0; j < section.rules.size(); ++j) {
      const auto& [outer_report, outer] = section.rules[j];
      const bool is_within = outer.prefix.length_bits < inner.prefix.length_bits &&
                             outer.prefix.contains(inner.prefix.address);
      if (!is_within || outer.answer == inner.answer) continue;
      const std::string rule = "the rule of " + line_of_report(outer_report);
      if (!is_old() && j < i) {
        amend(report, differs("ndppd uses " + rule +
                              ", which is first and contains this prefix, but culvert uses the "
                              "longer prefix: remove this rule to keep ndppd's result"));
      } else if (is_old() && inner.answer != NdpAnswer::always) {
        amend(report, differs("ndppd tries " + rule +
                              " too, which contains this prefix, but culvert uses only the longer "
                              "prefix"));
      }
    }
  }
}

/// Reports that the probe settings are left out, because no rule probes.
void Importer::leave_out_probe(const KeyIndexes& indexes) {
  for (const std::string_view name :
       {"timeout", "ttl", "deadtime", "retries", "keepalive", "valid-ttl", "invalid-ttl", "renew",
        "retrans-limit", "retrans-time"}) {
    const auto found = indexes.find(std::string{name});
    if (found != indexes.end()) {
      amend(found->second, mapped("left out, because no rule has the answer \"probe\""));
    }
  }
}

void Importer::finish(Section& section) {
  NdpConfig& config = section.config;
  join_equal(section);
  compare_nested(section);
  for (Rule& rule : section.rules) config.rules.push_back(std::move(rule.rule));
  if (config.rules.empty()) {
    return amend(section.report, differs("left out, because it has no rule"));
  }
  if (is_old()) {
    if (!section.keys.contains("deadtime")) config.probe.dead_ttl = config.probe.alive_ttl;
  } else {
    if (!section.keys.contains("router")) config.router = false;
    config.probe = probe_;
  }
  const bool probes =
      std::any_of(config.rules.begin(), config.rules.end(),
                  [](const NdpRule& rule) { return rule.answer == NdpAnswer::probe; });
  if (!probes) {
    config.probe = {};
    leave_out_probe(section.keys);
  }
  result_.toml += ndp_toml(config);
}

std::string Importer::summary() const {
  std::string text = "read as a file of " + program();
  text += source_.dialect_key.empty() ? ", because no key shows the version"
                                      : ", because it has the key " + quoted(source_.dialect_key);
  if (!is_old()) return text + "; router is false if it is not set";
  if (source_.dialect_key.empty())
    text += "; in a file of 1.0, router would be false if it is not set";
  return text;
}

}  // namespace

std::string_view fate_name(ImportFate fate) {
  switch (fate) {
    case ImportFate::mapped:
      return "mapped";
    case ImportFate::mapped_with_difference:
      return "mapped-with-difference";
    case ImportFate::unsupported:
      return "unsupported";
    case ImportFate::ignored_by_original:
      break;
  }
  return "ignored-by-original";
}

bool Imported::is_whole() const {
  return std::none_of(keys.begin(), keys.end(),
                      [](const ImportedKey& key) { return key.fate == ImportFate::unsupported; });
}

Result<Imported> import_ndppd(std::string_view text, std::string_view file) {
  const auto source = read_ndppd(text, file);
  if (!source) return Unexpected{source.error()};
  return Importer{*source, file}.run();
}

std::string report_line(const ImportedKey& key, std::string_view file) {
  std::string line =
      printable(file, 300) + ":" + std::to_string(key.line) + ": " + printable(key.key);
  if (!key.value.empty()) line += " " + printable(key.value);
  return line + ": " + std::string{fate_name(key.fate)} + ": " + printable(key.text, 1000);
}

}  // namespace culvert::program
