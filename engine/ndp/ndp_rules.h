// NdpRules: the decision about a target by the configuration and the tunnels' prefixes; and the
// list of all targets, if it is short. Immutable; any thread.
#pragma once

#include <cstddef>
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
  NdpRules(const NdpConfig& config, std::span<const NdpTunnelPrefix> prefixes);

  struct Decision {
    NdpIgnored ignored = NdpIgnored::none;
    bool needs_probe = false;  ///< answered only if the target is alive
  };
  /// Decides about a target. ignored: none (answered), no_rule, excepted, no_tunnel or tunnel_down.
  /// At most three look-ups.
  [[nodiscard]] Decision decide(const proto::Ipv6Address& target) const noexcept;

  /// Returns whether a rule's prefix contains the address, excepted or not.
  [[nodiscard]] bool covers(const proto::Ipv6Address& address) const noexcept {
    return rules_.find(address) != nullptr;
  }

 private:
  enum class Action : std::uint8_t { excepted, always, automatic, probe };

  LpmTable<Action> rules_;  ///< rules and their exceptions
  LpmTable<bool> excepted_;
  LpmTable<bool> tunnels_;  ///< tunnel prefixes; true: up
};

/// The addresses that the rules may answer for.
struct NdpTargets {
  std::vector<proto::Ipv6Address> addresses{};  ///< sorted; empty if there are too many
  /// The reason why there are too many, as a sentence; empty if all are listed.
  std::string too_many{};
};
/// Lists the targets of all rules if there are at most `most`, whether their tunnels are up or
/// down.
[[nodiscard]] NdpTargets ndp_targets(const NdpConfig& config,
                                     std::span<const NdpTunnelPrefix> prefixes, std::size_t most);

}  // namespace culvert
