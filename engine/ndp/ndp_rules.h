// NdpRules: the decision about a target by the configuration and the tunnels' prefixes; and the
// list of all targets, if it is short. Immutable; any thread.
#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "engine/ndp/ndp_config.h"
#include "engine/ndp/ndp_counters.h"
#include "engine/ndp/ndp_proxy.h"
#include "engine/tables/lpm_table.h"

namespace culvert {

class NdpRules {
 public:
  NdpRules() = default;  ///< no rule
  /// `kernel`: NdpKernelRoutes::prefixes. `interfaces`: those that the rules name.
  NdpRules(const NdpConfig& config, std::span<const NdpTunnelPrefix> prefixes,
           std::span<const proto::Ipv6Prefix> kernel = {}, const NdpInterfaces& interfaces = {});

  /// What the rules say of a target.
  struct Decision {
    NdpIgnored ignored = NdpIgnored::none;  ///< none, no_rule or excepted
    NdpAnswer answer = NdpAnswer::always;   ///< if ignored is none
    std::uint8_t length_bits = 0;           ///< of the rule's prefix
    bool wire = false;                      ///< hosts that answer a probe get a route
    std::uint32_t probe_links = 0;          ///< for probe_links(); 0: the rule names no interface
  };
  /// At most two look-ups.
  [[nodiscard]] Decision decide(const proto::Ipv6Address& target) const noexcept;

  /// The interfaces that the rule names, without those that are not there. Valid while these rules
  /// live.
  [[nodiscard]] std::span<const unsigned> probe_links(const Decision& decision) const noexcept {
    if (decision.probe_links == 0) return {};
    return probe_links_[decision.probe_links - 1];
  }

  /// What the tunnels say of a target: none (answered), no_tunnel or tunnel_down.
  [[nodiscard]] NdpIgnored check_tunnel(const proto::Ipv6Address& target) const noexcept;
  /// What the kernel's route to a target says: none (this host forwards to it), route_on_link,
  /// no_route, or as check_tunnel() if it leads to a tunnel's device. `asking_index`: the interface
  /// of the solicitation.
  [[nodiscard]] NdpIgnored check_route(const proto::Ipv6Address& target, const NdpRoute& route,
                                       unsigned asking_index) const noexcept;
  /// Returns whether the target may be answered for without a probe, as far as the owner knows.
  [[nodiscard]] bool may_answer(const proto::Ipv6Address& target) const noexcept;

  /// Returns whether a rule's prefix contains the address, excepted or not.
  [[nodiscard]] bool covers(const proto::Ipv6Address& address) const noexcept {
    return rules_.find(address) != nullptr;
  }

 private:
  struct Tunnel {
    bool is_up = false;
    std::uint8_t length_bits = 0;
  };

  LpmTable<Decision> rules_;  ///< rules and their exceptions
  LpmTable<bool> excepted_;
  LpmTable<Tunnel> tunnels_;
  LpmTable<bool> kernel_;
  std::vector<unsigned> devices_;  ///< interfaces of tunnels, sorted
  std::vector<std::vector<unsigned>> probe_links_;
};

/// The addresses that the rules may answer for.
struct NdpTargets {
  std::vector<proto::Ipv6Address> addresses{};  ///< sorted; empty if there are too many
  /// The reason why there are too many, as a sentence; empty if all are listed.
  std::string too_many{};
};
/// Lists the targets of all rules if there are at most `most`, whether their tunnels are up or
/// down. `prefixes`: of the tunnels and of NdpKernelRoutes.
[[nodiscard]] NdpTargets ndp_targets(const NdpConfig& config,
                                     std::span<const proto::Ipv6Prefix> prefixes, std::size_t most);

/// The prefixes whose unicast neighbor discovery is for the proxy alone (true), or for the kernel
/// (false): the interface's own addresses and what is excepted. The longest prefix decides.
[[nodiscard]] std::map<proto::Ipv6Prefix, bool> ndp_bypass_prefixes(const NdpConfig& config,
                                                                    const NdpInterface& interface);

}  // namespace culvert
