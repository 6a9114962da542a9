#include "tools/culvert/daemon/managed_ndp.h"

#include <net/if.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "engine/host/kernel_routes.h"
#include "engine/model/quoted.h"
#include "io/sort_unique.h"
#include "tools/culvert/config/ndp_options.h"

namespace culvert::program {
namespace {

/// Adds the elements of `more` to `all`.
template <class T>
void add(const std::vector<T>& more, std::vector<T>& all) {
  all.insert(all.end(), more.begin(), more.end());
  io::sort_unique(all);
}

}  // namespace

Result<std::unique_ptr<ManagedNdp>> ManagedNdp::start(
    NdpConfig config, netlink::Netlink& netlink, const OpenNdp& open, PrintLine print,
    const std::vector<NdpTunnelPrefix>& prefixes) {
  auto proxy = open(config);
  if (!proxy) return Unexpected{proxy.error()};
  if (auto started = (*proxy)->start(); !started) return Unexpected{started.error()};
  std::unique_ptr<ManagedNdp> managed{
      new ManagedNdp{std::move(config), netlink, std::move(*proxy), std::move(print)}};
  managed->tunnels_changed(prefixes);
  managed->link_changed();
  return managed;
}

void ManagedNdp::link_changed() {
  find_rule_interfaces();
  const auto found = find_link();
  lacks_link_ = !found && found.error().code == EINTR;
  if (lacks_link_) return;
  if (!found) return warn(found.error());
  // Unregistered, and registered again with its index, since the last reading: as if it were new.
  if (link_.interface.index != 0 && !proxy_->is_bound()) link_ = {};
  const bool is_same =
      found->interface == link_.interface && found->unusable_reason == link_.unusable_reason;
  if (!is_same) apply_link(*found);
}

Result<host::NdpLinkFound> ManagedNdp::find_link() {
  auto found = host::find_ndp_link(netlink_, config_.interface);
  const bool lacks_global = found && found->unusable_reason.empty() &&
                            config_.source == NdpSource::global &&
                            found->interface.global.is_unspecified();
  if (lacks_global)
    found->unusable_reason =
        "it has no global address that is preferred, for source = \"global\": add one, or write "
        "source = \"target\"";
  return found;
}

void ManagedNdp::find_rule_interfaces() {
  NdpInterfaces found;
  for (const NdpRule& rule : config_.rules)
    for (const std::string& name : rule.interfaces) found[name] = ::if_nametoindex(name.c_str());
  if (found == rule_interfaces_) return;
  for (const auto& [name, index] : found) {
    const auto before = rule_interfaces_.find(name);
    const bool is_lost = before == rule_interfaces_.end() || before->second != 0;
    if (index == 0 && is_lost && config_.log)
      config_.log(LogLevel::warning, "ndp " + config_.interface + ": there is no interface " +
                                         name +
                                         " yet, on which a rule probes: culvert waits for it");
  }
  rule_interfaces_ = std::move(found);
  proxy_->set_rule_interfaces(rule_interfaces_);
}

void ManagedNdp::apply_link(const host::NdpLinkFound& found) {
  const bool is_other_link = found.interface.index != link_.interface.index;
  const std::string previous_reason = std::exchange(waits_because_, found.unusable_reason);
  const auto on_link_before = link_.interface.on_link;
  link_ = found;
  if (found.interface.index == 0) {
    proxy_->lose_interface();
    on_link_.clear();
    routes_ = {};
  } else if (auto set = proxy_->set_interface(found.interface); !set) {
    waits_because_ = set.error().message();
    link_.unusable_reason =
        waits_because_;  // differs from the next reading, so that it is tried again
  }
  if (is_other_link && found.interface.index != 0) {
    neighbors_changed();
    routes_changed();
  }
  if (found.interface.index != 0 && on_link_before != found.interface.on_link) warn_of_wide_rules();
  if (waits_because_ != previous_reason) print_state();
}

void ManagedNdp::neighbors_changed() {
  if (link_.interface.index == 0) return;
  auto neighbors = host::find_neighbors(netlink_, link_.interface.index);
  if (!neighbors) return warn(neighbors.error());
  if (*neighbors == on_link_) return;
  on_link_ = std::move(*neighbors);
  proxy_->set_on_link(on_link_);
}

void ManagedNdp::routes_changed() {
  if (link_.interface.index == 0) return;
  auto found = host::find_kernel_routes(netlink_, link_.interface.index, devices_, config_.rules);
  if (!found) return warn(found.error());
  lacks_routes_ = !found->is_complete;
  // A route that is missing in an incomplete answer is perhaps there still.
  if (lacks_routes_) {
    add(routes_.prefixes, found->routes.prefixes);
    add(routes_.gateways, found->routes.gateways);
  }
  routes_ = std::move(found->routes);
  proxy_->set_kernel_routes(routes_);
}

void ManagedNdp::complete(bool are_routes_quiet) {
  if (lacks_link_) link_changed();
  if (lacks_routes_ && are_routes_quiet) routes_changed();
}

void ManagedNdp::tunnels_changed(const std::vector<NdpTunnelPrefix>& prefixes) {
  std::set<unsigned> devices;
  for (const NdpTunnelPrefix& each : prefixes) devices.insert(each.device_index);
  proxy_->set_tunnel_prefixes(prefixes);
  if (std::exchange(devices_, std::move(devices)) != devices_) routes_changed();
}

Result<void> ManagedNdp::apply(const NdpConfig& config) {
  if (auto applied = proxy_->apply(config); !applied) return applied;
  config_ = config;
  const std::string previous_reason = waits_because_;
  link_changed();
  routes_changed();
  warn_of_wide_rules();
  if (waits_because_ == previous_reason) print_state();  // otherwise link_changed() did
  return {};
}

/// Such a rule answers for hosts that answer for themselves.
void ManagedNdp::warn_of_wide_rules() const {
  if (!config_.log) return;
  for (const NdpRule& rule : config_.rules) {
    const auto& on_link = link_.interface.on_link;
    const auto held = std::find_if(on_link.begin(), on_link.end(), [&](const auto& prefix) {
      return prefix.length_bits >= rule.prefix.length_bits && rule.prefix.contains(prefix.address);
    });
    // A rule that names interfaces learns by probes which hosts are there.
    const bool asks_elsewhere = !rule.interfaces.empty();
    if (rule.answer == NdpAnswer::automatic || asks_elsewhere || held == on_link.end()) continue;
    config_.log(LogLevel::warning,
                "ndp " + config_.interface + ": rule " + rule.prefix.to_text() + " (" +
                    std::string{answer_word(rule.answer)} +
                    ") holds the prefix of the link itself, " + held->to_text() +
                    ": write the prefixes that are behind this host, or answer = \"auto\", which "
                    "goes by the kernel's routes");
  }
}

void ManagedNdp::print_state() const { print_(ndp_line(report()) + "\n"); }

void ManagedNdp::log_idle_rules(const std::vector<NdpTunnelPrefix>& prefixes) {
  std::vector<std::string> rules = idle_rules(config_, prefixes);
  if (rules == logged_idle_rules_) return;
  logged_idle_rules_ = std::move(rules);
  if (logged_idle_rules_.empty() || !config_.log) return;
  config_.log(LogLevel::info, "ndp " + config_.interface + ": no tunnel has a prefix in " +
                                  shortened(logged_idle_rules_, kListedRules) +
                                  ", so no solicitation for it is answered (auto)");
}

void ManagedNdp::warn(const Error& error) const {
  if (config_.log) config_.log(LogLevel::warning, error.message());
}

std::string ndp_line(const NdpReport& report) {
  const auto& [status, waits_because] = report;
  const std::string name = "culvert: ndp " + status.config.interface;
  if (!waits_because.empty()) return name + " waits: " + waits_because;
  std::vector<std::string> rules;
  for (const NdpRule& rule : status.config.rules) {
    std::string how{answer_word(rule.answer)};
    for (const std::string& each : rule.interfaces)
      how += (&each == &rule.interfaces.front() ? " on " : ", ") + each;
    rules.push_back(rule.prefix.to_text() + " (" + how + ")");
  }
  return name + " answers for " + shortened(rules, kListedRules) + "; " + status.membership;
}

std::vector<std::string> idle_rules(const NdpConfig& config,
                                    const std::vector<NdpTunnelPrefix>& prefixes) {
  std::vector<std::string> idle;
  for (const NdpRule& rule : config.rules) {
    if (rule.answer != NdpAnswer::automatic) continue;
    const bool has_tunnel = std::any_of(prefixes.begin(), prefixes.end(), [&](const auto& tunnel) {
      return rule.prefix.contains(tunnel.prefix.address) ||
             tunnel.prefix.contains(rule.prefix.address);
    });
    if (has_tunnel) continue;
    idle.push_back(rule.prefix.to_text());
  }
  return idle;
}

std::vector<NdpTunnelPrefix> tunnel_prefixes(std::span<const EngineStatus> devices) {
  std::vector<NdpTunnelPrefix> all;
  for (const EngineStatus& device : devices) {
    for (const TunnelStatus& tunnel : device.tunnels) {
      const bool is_up = device.running && tunnel.config.up;
      const bool has_all = tunnel.config.prefixes6.empty() && tunnel.config.prefixes4.empty();
      const unsigned index = device.device_index;
      if (has_all) all.push_back({.prefix = {}, .is_up = is_up, .device_index = index});
      for (const auto& prefix : tunnel.config.prefixes6) all.push_back({prefix, is_up, index});
    }
  }
  return all;
}

}  // namespace culvert::program
