#include "engine/ndp/ndp_rules.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "io/sort_unique.h"

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
  io::sort_unique(targets);
  return targets.size() <= most;
}

std::string too_many(const NdpRule& rule, const Ipv6Prefix& prefix, std::size_t most) {
  std::string text = "rule " + rule.prefix.to_text();
  if (prefix != rule.prefix) text += ", with the prefix " + prefix.to_text() + ",";
  return text + " brings the targets to more than " + std::to_string(most);
}

/// The indexes of those interfaces of a rule that are there.
std::vector<unsigned> indexes_of(const NdpRule& rule, const NdpInterfaces& interfaces) {
  std::vector<unsigned> indexes;
  for (const std::string& name : rule.interfaces) {
    const auto found = interfaces.find(name);
    if (found != interfaces.end() && found->second != 0) indexes.push_back(found->second);
  }
  return indexes;
}

}  // namespace

NdpRules::NdpRules(const NdpConfig& config, std::span<const NdpTunnelPrefix> prefixes,
                   std::span<const Ipv6Prefix> kernel, const NdpInterfaces& interfaces) {
  std::vector<LpmTable<Decision>::Entry> rules;
  for (const NdpRule& rule : config.rules)
    for (const Ipv6Prefix& except : rule.except)
      rules.emplace_back(except, Decision{.ignored = NdpIgnored::excepted});
  // After the exceptions: a rule for exactly the excepted prefix takes precedence.
  for (const NdpRule& rule : config.rules) {
    Decision decision{
        .answer = rule.answer, .length_bits = rule.prefix.length_bits, .wire = rule.wire};
    if (!rule.interfaces.empty()) {
      probe_links_.push_back(indexes_of(rule, interfaces));
      decision.probe_links = static_cast<std::uint32_t>(probe_links_.size());
    }
    rules.emplace_back(rule.prefix, decision);
  }
  rules_ = LpmTable<Decision>{rules};

  std::vector<LpmTable<bool>::Entry> excepted, leading;
  for (const Ipv6Prefix& except : config.except) excepted.emplace_back(except, true);
  excepted_ = LpmTable<bool>{excepted};
  for (const Ipv6Prefix& prefix : kernel) leading.emplace_back(prefix, true);
  kernel_ = LpmTable<bool>{leading};

  std::vector<LpmTable<Tunnel>::Entry> tunnels;
  for (const NdpTunnelPrefix& prefix : prefixes) {
    tunnels.emplace_back(prefix.prefix, Tunnel{prefix.is_up, prefix.prefix.length_bits});
    devices_.push_back(prefix.device_index);
  }
  // LpmTable keeps the last entry of a prefix: one that is up, if there is any.
  std::stable_sort(tunnels.begin(), tunnels.end(),
                   [](const auto& a, const auto& b) { return a.second.is_up < b.second.is_up; });
  tunnels_ = LpmTable<Tunnel>{tunnels};
  std::sort(devices_.begin(), devices_.end());
}

NdpRules::Decision NdpRules::decide(const Ipv6Address& target) const noexcept {
  const Decision* decision = rules_.find(target);
  if (decision == nullptr) return {.ignored = NdpIgnored::no_rule};
  if (excepted_.find(target) != nullptr) return {.ignored = NdpIgnored::excepted};
  return *decision;
}

NdpIgnored NdpRules::check_tunnel(const Ipv6Address& target) const noexcept {
  const Tunnel* tunnel = tunnels_.find(target);
  if (tunnel == nullptr) return NdpIgnored::no_tunnel;
  return tunnel->is_up ? NdpIgnored::none : NdpIgnored::tunnel_down;
}

NdpIgnored NdpRules::check_route(const Ipv6Address& target, const NdpRoute& route,
                                 unsigned asking_index) const noexcept {
  if (route.kind == NdpRoute::Kind::local) return NdpIgnored::none;
  const Tunnel* tunnel = tunnels_.find(target);
  const bool is_down = tunnel != nullptr && !tunnel->is_up;
  const NdpIgnored no_route = is_down ? NdpIgnored::tunnel_down : NdpIgnored::no_route;
  if (route.kind == NdpRoute::Kind::none) return no_route;
  const bool is_default = route.length_bits == 0;
  if (std::binary_search(devices_.begin(), devices_.end(), route.interface_index)) {
    // The prefixes of tunnels need no route of their own where a route of the device covers them.
    const bool is_catch_all = tunnel != nullptr && tunnel->length_bits == 0;
    return is_default && is_catch_all ? no_route : check_tunnel(target);
  }
  if (is_default) return no_route;
  return route.interface_index == asking_index ? NdpIgnored::route_on_link : NdpIgnored::none;
}

bool NdpRules::may_answer(const Ipv6Address& target) const noexcept {
  const Decision decision = decide(target);
  if (decision.ignored != NdpIgnored::none || decision.answer == NdpAnswer::probe) return false;
  return decision.answer == NdpAnswer::always || check_tunnel(target) == NdpIgnored::none ||
         kernel_.find(target) != nullptr;
}

NdpTargets ndp_targets(const NdpConfig& config, std::span<const Ipv6Prefix> prefixes,
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
    for (const Ipv6Prefix& prefix : prefixes) {
      const Ipv6Prefix* both = intersection(rule.prefix, prefix);
      if (both != nullptr && !add(rule, *both)) return targets;
    }
  }
  io::sort_unique(targets.addresses);
  return targets;
}

std::map<Ipv6Prefix, bool> ndp_bypass_prefixes(const NdpConfig& config,
                                               const NdpInterface& interface) {
  std::map<Ipv6Prefix, bool> prefixes;
  for (const NdpRule& rule : config.rules)
    for (const Ipv6Prefix& except : rule.except) prefixes[except.network()] = false;
  for (const NdpRule& rule : config.rules) prefixes[rule.prefix.network()] = true;
  // No rule within such an exception has an effect.
  for (const Ipv6Prefix& except : config.except) {
    std::erase_if(prefixes, [&](const auto& each) {
      return each.first.length_bits >= except.length_bits && except.contains(each.first.address);
    });
    prefixes[except.network()] = false;
  }
  for (const Ipv6Address& own : interface.own) prefixes[{own, 128}] = false;
  // The subnet-router anycast addresses, RFC 4291 2.6.1.
  for (const Ipv6Prefix& on_link : interface.on_link) prefixes[{on_link.address, 128}] = false;
  return prefixes;
}

}  // namespace culvert
