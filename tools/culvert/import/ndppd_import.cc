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

bool contains_all(const std::vector<std::string>& all, const std::vector<std::string>& some) {
  return std::all_of(some.begin(), some.end(), [&](const std::string& each) {
    return std::find(all.begin(), all.end(), each) != all.end();
  });
}

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
    NdpRule rule;
    std::size_t report = 0;
    bool wires = false;  ///< `autowire` of 1.0
  };
  struct Section {
    std::size_t report;
    NdpConfig config;
    std::vector<Rule> rules;
    KeyIndexes keys;
    bool wires = false;  ///< `autowire` of 0.2
  };

  void import_proxy(const NdppdStatement& statement);
  Section& find_section(const NdppdStatement& statement);
  void import_rule(const NdppdStatement& statement, Section& section);
  std::string describe_bad_prefix(const std::string& value) const;
  std::string find_bad_method(const NdppdStatement& statement) const;
  void import_key(const NdppdStatement& statement, NdppdLevel level, const NdppdTarget& into,
                  KeyIndexes& indexes, bool is_joined = false);
  bool import_repeated(const NdppdStatement& statement, std::size_t earlier, bool is_joined);
  Outcome explain_unknown(const NdppdStatement& statement, NdppdLevel level) const;
  void report_block(const NdppdStatement& statement, const Outcome& outcome);
  void join_equal(Section& section);
  void join(Rule& first, const Rule& second);
  void join_interfaces(Rule& first, const Rule& second);
  void wire(const Section& section, Rule& rule);
  void compare_nested(const Section& section);
  void compare_wide(const Rule& rule);
  void leave_out_probe(const KeyIndexes& indexes);
  void finish(Section& section);
  std::string summary() const;

  std::size_t report(const NdppdStatement& statement, Outcome outcome);
  /// Adds to a line of the report. The worse fate wins.
  void amend(std::size_t at, const Outcome& outcome);
  std::string line_of_report(std::size_t at) const { return in_line(result_.keys[at].line); }
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

Result<Imported> Importer::run() {
  bool has_proxy = false;
  for (const NdppdStatement& statement : source_.statements) {
    if (statement.key != "proxy") {
      import_key(statement, NdppdLevel::top, {source_.dialect, probe_, nullptr, nullptr, nullptr},
                 keys_);
      continue;
    }
    has_proxy = true;
    import_proxy(statement);
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
void Importer::import_proxy(const NdppdStatement& statement) {
  if (auto name = check_interface_name("proxy", statement.value); !name) {
    report(statement, unsupported("left out: is not an interface name: " + name.error().advice));
    report_block(statement, unsupported("is in the section of " + in_line(statement.line) +
                                        ", which is left out"));
    return;
  }
  Section& section = find_section(statement);
  if (!statement.block) return;
  const KeyIndexes before = section.keys;
  for (const NdppdStatement& inner : *statement.block) {
    if (inner.key == "rule") {
      import_rule(inner, section);
      continue;
    }
    NdpProbe& probe = is_old() ? section.config.probe : probe_;
    const bool is_in_other_block = before.contains(inner.key);
    import_key(inner, NdppdLevel::proxy,
               {source_.dialect, probe, &section.config, nullptr, &section.wires}, section.keys,
               is_in_other_block);
  }
}

/// Reports the proxy, and returns the section of its interface.
Importer::Section& Importer::find_section(const NdppdStatement& statement) {
  const auto same = std::find_if(sections_.begin(), sections_.end(), [&](const Section& each) {
    return each.config.interface == statement.value;
  });
  if (same != sections_.end()) {
    report(statement,
           differs("culvert has one section for each interface: joined with the section of " +
                   line_of_report(same->report) +
                   (is_old() ? "" : "; ndppd 1.0 refuses a second section")));
    return *same;
  }
  sections_.emplace_back();
  sections_.back().report = report(statement, mapped("[ndp." + statement.value + "]"));
  sections_.back().config.interface = statement.value;
  return sections_.back();
}

std::string Importer::describe_bad_prefix(const std::string& value) const {
  if (value.empty()) return "it has no prefix: ndppd refuses the file";
  const std::string original =
      is_old() ? "ndppd never answers by this rule" : "ndppd 1.0 refuses the file";
  return quoted(value) + " is not an IPv6 address with or without a prefix length: " + original +
         "; write the prefix of the hosts that culvert shall answer for, like 2001:db8:0:1::/64";
}

/// Why the keys of a rule do not say when to answer; empty: they do.
std::string Importer::find_bad_method(const NdppdStatement& statement) const {
  const Statements none;
  const Statements& keys = statement.block ? *statement.block : none;
  const auto find_key = [&](std::string_view key) {
    const auto found =
        std::find_if(keys.begin(), keys.end(), [&](const auto& each) { return each.key == key; });
    return found == keys.end() ? nullptr : &*found;
  };
  const NdppdStatement* const interface = find_key("iface");
  const int methods = int{find_key("static") != nullptr} + int{find_key("auto") != nullptr} +
                      int{interface != nullptr};
  if (methods == 0) {
    return is_old() ? "it has none of static, auto and iface: ndppd 0.2.5 refuses the file, and "
                      "older versions use static; write one of them"
                    : "it has none of static, auto and iface: ndppd 1.0 refuses the file";
  }
  if (methods > 1)
    return program() + " refuses a rule with more than one of static, auto and iface";
  if (interface == nullptr) return "";
  const auto name = check_interface_name("iface", interface->value);
  return name ? "" : "iface names no interface: " + name.error().advice;
}

void Importer::import_rule(const NdppdStatement& statement, Section& section) {
  const auto prefix = proto::Ipv6Prefix::from_text(statement.value);
  Rule rule;
  std::string text, fault;
  if (prefix) {
    rule.rule.prefix = prefix->network();
    text = "prefix = \"" + rule.rule.prefix.to_text() + "\"";
    fault = find_bad_method(statement);
  } else {
    fault = describe_bad_prefix(statement.value);
  }
  if (fault.empty()) {
    NdpConfig alone;
    alone.interface = section.config.interface;
    alone.rules = {rule.rule};
    if (const auto valid = validate(alone); !valid) fault = valid.error().advice;
  }
  if (!fault.empty()) {
    report(statement, unsupported(text + (text.empty() ? "" : "; ") + "left out: " + fault));
    report_block(statement, unsupported("is in the rule of " + in_line(statement.line) +
                                        ", which is left out"));
    return;
  }
  rule.report = report(statement, mapped(text));
  KeyIndexes indexes;
  for (const NdppdStatement& inner : *statement.block) {  // without a block it has no method
    import_key(inner, NdppdLevel::rule,
               {source_.dialect, probe_, &section.config, &rule.rule, &rule.wires}, indexes);
  }
  section.rules.push_back(std::move(rule));
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
  report_block(statement, ignored("is in the block of " + quoted(statement.key) + " in " +
                                  in_line(statement.line) + ", which ndppd does not read"));
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
  bool is_newer = false;
  for (const NdppdKey& key : ndppd_keys()) {
    is_newer |= key.dialect == NdppdDialect::v1_0 && key.name == statement.key;
    if (key.dialect != source_.dialect) continue;
    if (key.level == level) names.push_back(key.name);
    if (key.name == statement.key) {
      return ignored(
          key.level == NdppdLevel::top     ? "ndppd 0.2 knows this key only at the top of the file"
          : key.level == NdppdLevel::proxy ? "ndppd 0.2 knows this key only in a proxy section"
                                           : "ndppd 0.2 knows this key only in a rule");
    }
  }
  if (is_newer) return ignored("ndppd 0.2 does not know this key: only 1.0 has it");
  const std::string_view near = nearest(statement.key, names);
  if (!near.empty())
    return ignored("ndppd 0.2 does not know this key: is " + quoted(near) + " meant?");
  return ignored("ndppd 0.2 does not know this key here");
}

/// Reports each key in the block of a statement, and in the blocks within it.
void Importer::report_block(const NdppdStatement& statement, const Outcome& outcome) {
  if (!statement.block) return;
  for (const NdppdStatement& inner : *statement.block) {
    report(inner, outcome);
    report_block(inner, outcome);
  }
}

// ---- several rules: ndppd uses their order, culvert the longest prefix --------------------------
/// Joins rules with the same prefix. ndppd 0.2 tries all rules, up to one with `static`. ndppd 1.0
/// uses one rule: it puts each new rule in front of the others, so it is the last that matches.
void Importer::join_equal(Section& section) {
  std::vector<Rule> kept;
  for (Rule& each : section.rules) {
    const auto first = std::find_if(kept.begin(), kept.end(), [&](const Rule& other) {
      return other.rule.prefix == each.rule.prefix;
    });
    if (first != kept.end() && is_old()) {
      join(*first, each);
      continue;
    }
    if (first != kept.end()) {
      amend(first->report, ignored("the rule of " + line_of_report(each.report) +
                                   " has the same prefix, and ndppd 1.0 uses the last one"));
      kept.erase(first);
    }
    kept.push_back(std::move(each));
  }
  section.rules = std::move(kept);
}

/// Joins the interfaces of a second rule of 0.2: hosts are solicited on all of them.
void Importer::join_interfaces(Rule& first, const Rule& second) {
  const std::string where = line_of_report(first.report);
  std::vector<std::string>& interfaces = first.rule.interfaces;
  if (interfaces.size() == kMaxNdpRuleInterfaces) {
    amend(second.report,
          unsupported("has the prefix of " + where + ": a rule of culvert has at most " +
                      std::to_string(kMaxNdpRuleInterfaces) + " interfaces"));
    return;
  }
  interfaces.insert(interfaces.end(), second.rule.interfaces.begin(), second.rule.interfaces.end());
  amend(second.report,
        mapped("joined with the rule of " + where + ", which has both interfaces then"));
}

/// Sets `wire` of a rule, whose `autowire` is its own (1.0) or its section's (0.2).
void Importer::wire(const Section& section, Rule& rule) {
  if (!section.wires && !rule.wires) return;
  rule.rule.wire = !rule.rule.interfaces.empty();
  if (rule.rule.wire) return amend(rule.report, mapped("wire = true"));
  const bool has_route = rule.rule.answer == NdpAnswer::automatic;
  amend(rule.report,
        mapped(has_route ? "needs no wire: the kernel has a route to what `auto` answers for"
                         : "needs no wire: it has no iface"));
}

/// Joins a second rule of 0.2 with the same prefix to the first one.
void Importer::join(Rule& first, const Rule& second) {
  const std::string where = line_of_report(first.report);
  if (first.rule.answer != second.rule.answer) {
    if (second.rule.answer == NdpAnswer::always) {
      first.rule.answer = NdpAnswer::always;
      first.rule.interfaces.clear();  // nobody is asked
    }
    amend(second.report, differs("has the prefix of " + where +
                                 ": ndppd tries both, but culvert has one rule with answer = \"" +
                                 std::string{answer_word(first.rule.answer)} + "\""));
  } else if (!contains_all(first.rule.interfaces, second.rule.interfaces)) {
    join_interfaces(first, second);
  } else {
    amend(second.report, mapped("the same as in " + where));
  }
}

/// Reports rules whose prefix is in the prefix of another rule, if the two programs then differ.
void Importer::compare_nested(const Section& section) {
  for (std::size_t i = 0; i < section.rules.size(); ++i) {
    const Rule& inner = section.rules[i];
    for (std::size_t j = 0; j < section.rules.size(); ++j) {
      const Rule& outer = section.rules[j];
      const bool is_within = outer.rule.prefix.length_bits < inner.rule.prefix.length_bits &&
                             outer.rule.prefix.contains(inner.rule.prefix.address);
      const bool is_same =
          outer.rule.answer == inner.rule.answer && outer.rule.interfaces == inner.rule.interfaces;
      if (!is_within || is_same) continue;
      const std::string rule = "the rule of " + line_of_report(outer.report);
      if (!is_old() && j > i) {
        amend(inner.report,
              differs("ndppd uses " + rule +
                      ", which is later and contains this prefix, but culvert uses the "
                      "longer prefix: remove this rule to keep ndppd's result"));
      } else if (is_old() && inner.rule.answer != NdpAnswer::always) {
        amend(inner.report,
              differs("ndppd tries " + rule +
                      " too, which contains this prefix, but culvert uses only the longer "
                      "prefix"));
      }
    }
  }
}

/// Reports a rule that holds the prefix of every link.
void Importer::compare_wide(const Rule& rule) {
  constexpr std::uint8_t kGlobalUnicastBits = 3;  // 2000::/3, RFC 4291 2.4
  if (rule.rule.prefix.length_bits > kGlobalUnicastBits) return;
  amend(
      rule.report,
      differs("it holds the link's own prefix too: ndppd takes addresses from their owners there, "
              "culvert leaves link-local addresses and duplicate address detection of the link's "
              "hosts alone; better write the prefixes that are behind this host"));
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
  for (Rule& rule : section.rules) {
    compare_wide(rule);
    wire(section, rule);
    config.rules.push_back(std::move(rule.rule));
  }
  if (config.rules.empty()) {
    for (const auto& [key, at] : section.keys) amend(at, mapped("left out with its section"));
    return amend(section.report, differs("left out, because it has no rule"));
  }
  if (is_old()) {
    if (!section.keys.contains("deadtime")) config.probe.dead_ttl = config.probe.alive_ttl;
  } else {
    if (!section.keys.contains("router")) {
      config.router = false;
      amend(
          section.report,
          mapped("router = false, which is the default of ndppd 1.0: a host that uses this one as "
                 "its router then stops doing so (RFC 4861 7.2.5); write router = true if this "
                 "host forwards"));
    }
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
  std::string text = "read as a file of " + program() + ", because " + source_.dialect_reason;
  if (!is_old()) text += "; router is false if it is not set";
  if (source_.dialect_doubt.empty()) return text;
  text += "; " + source_.dialect_doubt;
  return text + (is_old() ? ": if it is a file of 1.0, where router is false if it is not set, "
                            "write --dialect 1.0"
                          : ": if it is a file of 0.2, write --dialect 0.2");
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

Result<Imported> import_ndppd(std::string_view text, std::string_view file,
                              std::optional<NdppdDialect> dialect) {
  const auto source = read_ndppd(text, file, dialect);
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
