#include "engine/ndp/ndp_config.h"

#include <algorithm>
#include <utility>

#include "engine/model/device_name.h"

namespace culvert {
namespace {

using proto::Ipv6Prefix;

Unexpected<Error> refuse(std::string object, std::string advice) {
  return Unexpected{Error{.code = 0,
                          .operation = "configure",
                          .object = std::move(object),
                          .advice = std::move(advice)}};
}

/// `word`: the option in front of the prefix in the error's object.
Result<void> check_prefix(const std::string& word, const Ipv6Prefix& prefix) {
  const std::string object = word + " " + prefix.to_text();
  if (prefix.has_host_bits())
    return refuse(object, "has bits set behind its length; give the prefix without them");
  return {};
}

/// Returns whether `outer` contains every address of `inner`.
bool contains(const Ipv6Prefix& outer, const Ipv6Prefix& inner) {
  return outer.length_bits <= inner.length_bits && outer.contains(inner.address);
}

Result<void> check_rule(const NdpRule& rule) {
  if (auto prefix = check_prefix("rule", rule.prefix); !prefix) return prefix;
  const std::string object = "rule " + rule.prefix.to_text();
  const auto& address = rule.prefix.address;
  if (address.is_multicast())
    return refuse(object, "is multicast: neighbors are never asked for such a target");
  if (rule.prefix.length_bits >= 10 && address.is_link_local())
    return refuse(object, "is link-local: such an address never lies behind another interface");
  for (const Ipv6Prefix& except : rule.except) {
    if (auto prefix = check_prefix(object + ": except", except); !prefix) return prefix;
    const std::string except_object = object + ": except " + except.to_text();
    if (contains(except, rule.prefix))
      return refuse(except_object, "takes away the whole of the rule: remove the rule instead");
    if (!contains(rule.prefix, except))
      return refuse(except_object, "lies outside of the rule's prefix, where it has no effect");
  }
  return {};
}

/// The interfaces on which a rule probes.
Result<void> check_interfaces(const NdpRule& rule, const std::string& asking) {
  const std::string object = "rule " + rule.prefix.to_text() + ": interface ";
  for (auto each = rule.interfaces.begin(); each != rule.interfaces.end(); ++each) {
    if (const auto name = check_interface_name("interface", *each); !name)
      return refuse(object + *each, name.error().advice);
    if (rule.answer != NdpAnswer::probe)
      return refuse(object + *each, "needs answer = \"probe\": only such a rule asks the hosts");
    if (*each == asking)
      return refuse(object + *each,
                    "is the interface that asks: name the interface behind which the hosts are");
    if (std::find(rule.interfaces.begin(), each, *each) != each)
      return refuse(object + *each, "is there twice: remove one");
  }
  if (rule.wire && rule.interfaces.empty())
    return refuse(
        "rule " + rule.prefix.to_text() + ": wire true",
        "needs `interface`: the kernel already has a route to hosts that are probed by it");
  if (rule.interfaces.size() <= kMaxNdpRuleInterfaces) return {};
  return refuse(object + rule.interfaces[kMaxNdpRuleInterfaces],
                "is one too many: a rule has at most " + std::to_string(kMaxNdpRuleInterfaces));
}

Result<void> check_rules(const NdpConfig& config) {
  if (config.rules.empty())
    return refuse("ndp " + config.interface,
                  "has no rule, so that it would answer nothing: give it one");
  std::vector<Ipv6Prefix> prefixes;
  for (const NdpRule& rule : config.rules) {
    if (auto checked = check_rule(rule); !checked) return checked;
    if (auto checked = check_interfaces(rule, config.interface); !checked) return checked;
    prefixes.push_back(rule.prefix);
  }
  std::sort(prefixes.begin(), prefixes.end());
  const auto twice = std::adjacent_find(prefixes.begin(), prefixes.end());
  if (twice != prefixes.end())
    return refuse("rule " + twice->to_text(),
                  "is there twice: the longest prefix decides, so give each prefix one rule");
  for (const Ipv6Prefix& except : config.except) {
    if (auto prefix = check_prefix("except", except); !prefix) return prefix;
  }
  return {};
}

/// `unit`: appended to the numbers in the advice; begins with a space, or is empty.
template <class Number>
Result<void> check_range(const std::string& word, Number value, Number least, Number most,
                         const std::string& unit = {}) {
  if (value >= least && value <= most) return {};
  return refuse(word + " " + std::to_string(value),
                "must be from " + std::to_string(least) + " to " + std::to_string(most) + unit);
}
Result<void> check_range(const std::string& word, std::chrono::milliseconds value,
                         std::chrono::milliseconds least, std::chrono::milliseconds most) {
  return check_range(word, value.count(), least.count(), most.count(), " milliseconds");
}

Result<void> check_probe(const NdpProbe& probe) {
  if (auto ok = check_range("probe timeout", probe.timeout, kMinNdpTimeout, kMaxNdpTimeout); !ok)
    return ok;
  if (auto ok = check_range("probe tries", probe.tries, 1u, kMaxNdpTries); !ok) return ok;
  if (auto ok = check_range("probe alive_ttl", probe.alive_ttl, kMinNdpTtl, kMaxNdpTtl); !ok)
    return ok;
  if (auto ok = check_range("probe dead_ttl", probe.dead_ttl, kMinNdpTtl, kMaxNdpTtl); !ok)
    return ok;
  if (auto ok = check_range("probe per_second", probe.per_second, std::uint32_t{1},
                            kMaxNdpProbesPerSecond);
      !ok)
    return ok;
  return check_range("probe cache", probe.cache, kMinNdpEntries, kMaxNdpCache);
}

}  // namespace

bool has_probe(const NdpConfig& config) noexcept {
  return std::any_of(config.rules.begin(), config.rules.end(),
                     [](const NdpRule& rule) { return rule.answer == NdpAnswer::probe; });
}

bool has_wire(const NdpConfig& config) noexcept {
  return std::any_of(config.rules.begin(), config.rules.end(),
                     [](const NdpRule& rule) { return rule.wire; });
}

Result<void> validate(const NdpConfig& config) {
  if (auto name = check_interface_name("interface", config.interface); !name) return name;
  if (auto rules = check_rules(config); !rules) return rules;
  if (auto ok = check_range("delay", config.delay, {}, kMaxNdpDelay); !ok) return ok;
  if (auto ok = check_range("on_link", config.on_link, kMinNdpEntries, kMaxNdpOnLink); !ok)
    return ok;
  if (auto ok = check_range("on_link_ttl", config.on_link_ttl, kMinNdpTtl, kMaxNdpTtl); !ok)
    return ok;
  return check_probe(config.probe);
}

}  // namespace culvert
