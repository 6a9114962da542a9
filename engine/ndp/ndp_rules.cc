#include "engine/ndp/ndp_rules.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace culvert {
namespace {

using proto::Ipv6Address;
using proto::Ipv6Prefix;

/// The intersection of two prefixes: the longer one if the shorter contains it, else null.
const Ipv6Prefix* intersection(const Ipv6Prefix& a, const Ipv6Prefix& b) {
  const auto& [shorter, longer] = a.length_bits <= b.length_bits ? std::tie(a, b) : std::tie(b, a);
  return shorter.contains(longer.address) ? &longer : nullptr;
}

Ipv6Address nth(const Ipv6Prefix& prefix, std::size_t n) {
  const auto first = detail::bits_of(prefix.address) & detail::mask_of(prefix.length_bits);
  Ipv6Address address;
  proto::store(address.bytes, 0, proto::Be64::from_host(first.high));
  proto::store(address.bytes, 8, proto::Be64::from_host(first.low + n));
  return address;
}

/// Adds the addresses of a prefix. False: there are now more than `most`.
bool add_targets(std::vector<Ipv6Address>& targets, const Ipv6Prefix& prefix, std::size_t most) {
  const unsigned host_bits = 128u - prefix.length_bits;
  if (host_bits >= 32 || (std::size_t{1} << host_bits) > most) return false;
  for (std::size_t n = 0; n < std::size_t{1} << host_bits; ++n) targets.push_back(nth(prefix, n));
  if (targets.size() <= most) return true;
  // Nested prefixes repeat addresses: count each once.
  std::sort(targets.begin(), targets.end());
  targets.erase(std::unique(targets.begin(), targets.end()), targets.end());
  return targets.size() <= most;
}

std::string too_many(const NdpRule& rule, const Ipv6Prefix& prefix, std::size_t most) {
  std::string text = "rule " + rule.prefix.to_text();
  if (prefix != rule.prefix) text += ", with the tunnels' prefix " + prefix.to_text() + ",";
  return text + " brings the targets to more than " + std::to_string(most);
}

}  // namespace

NdpRules::NdpRules(const NdpConfig& config, std::span<const NdpTunnelPrefix> prefixes) {
  const auto action_of = [](NdpAnswer answer) {
    switch (answer) {
      case NdpAnswer::always:
        return Action::always;
      case NdpAnswer::probe:
        return Action::probe;
      default:
        return Action::automatic;
    }
  };
  std::vector<LpmTable<Action>::Entry> rules;
  for (const NdpRule& rule : config.rules)
    for (const Ipv6Prefix& except : rule.except) rules.emplace_back(except, Action::excepted);
  // After the exceptions: a rule for exactly the excepted prefix takes precedence.
  for (const NdpRule& rule : config.rules) rules.emplace_back(rule.prefix, action_of(rule.answer));
  rules_ = LpmTable<Action>{rules};

  std::vector<LpmTable<bool>::Entry> excepted;
  for (const Ipv6Prefix& except : config.except) excepted.emplace_back(except, true);
  excepted_ = LpmTable<bool>{excepted};

  std::vector<LpmTable<bool>::Entry> tunnels;
  for (const NdpTunnelPrefix& prefix : prefixes) tunnels.emplace_back(prefix.prefix, prefix.is_up);
  // LpmTable keeps the last entry of a prefix: one that is up, if there is any.
  std::stable_sort(tunnels.begin(), tunnels.end(),
                   [](const auto& a, const auto& b) { return a.second < b.second; });
  tunnels_ = LpmTable<bool>{tunnels};
}

NdpRules::Decision NdpRules::decide(const Ipv6Address& target) const noexcept {
  const Action* action = rules_.find(target);
  if (action == nullptr) return {.ignored = NdpIgnored::no_rule};
  if (*action == Action::excepted || excepted_.find(target) != nullptr)
    return {.ignored = NdpIgnored::excepted};
  if (*action != Action::automatic) return {.needs_probe = *action == Action::probe};
  const bool* is_up = tunnels_.find(target);
  if (is_up == nullptr) return {.ignored = NdpIgnored::no_tunnel};
  return {.ignored = *is_up ? NdpIgnored::none : NdpIgnored::tunnel_down};
}

NdpTargets ndp_targets(const NdpConfig& config, std::span<const NdpTunnelPrefix> prefixes,
                       std::size_t most) {
  NdpTargets targets;
  const auto add = [&](const NdpRule& rule, const Ipv6Prefix& prefix) {
    if (add_targets(targets.addresses, prefix, most)) return true;
    targets = {.addresses = {}, .too_many = too_many(rule, prefix, most)};
    return false;
  };
  for (const NdpRule& rule : config.rules) {
    if (rule.answer != NdpAnswer::automatic) {
      if (!add(rule, rule.prefix)) return targets;
      continue;
    }
    for (const NdpTunnelPrefix& tunnel : prefixes) {
      const Ipv6Prefix* both = intersection(rule.prefix, tunnel.prefix);
      if (both != nullptr && !add(rule, *both)) return targets;
    }
  }
  auto& addresses = targets.addresses;
  std::sort(addresses.begin(), addresses.end());
  addresses.erase(std::unique(addresses.begin(), addresses.end()), addresses.end());
  return targets;
}

}  // namespace culvert
