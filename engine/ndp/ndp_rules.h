// NdpRules: what the configuration and the tunnels' prefixes say of a target; and which targets
// there are, where they can be counted. Immutable; any thread.
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
    bool needs_probe = false;  ///< answered if the target is alive
  };
  /// Answered if nothing is `ignored`; otherwise no_rule, excepted, no_tunnel or tunnel_down. Three
  /// look-ups at most.
  [[nodiscard]] Decision decide(const proto::Ipv6Address& target) const noexcept;

  /// Whether a rule's prefix holds the address, be it excepted or not.
  [[nodiscard]] bool covers(const proto::Ipv6Address& address) const noexcept {
    return rules_.find(address) != nullptr;
  }

 private:
  enum class Way : std::uint8_t { excepted, always, automatic, probe };

  LpmTable<Way> rules_;  ///< and what they except
  LpmTable<bool> excepted_;
  LpmTable<bool> tunnels_;  ///< whether it is up
};

/// The addresses that solicitations may ask for.
struct NdpTargets {
  std::vector<proto::Ipv6Address> addresses{};  ///< sorted; none, if there are too many
  std::string too_many{};  ///< a sentence on what has too many; empty if they are all listed
};
/// Lists the targets of all rules, tunnels being up or down, if they are `most` at most.
[[nodiscard]] NdpTargets ndp_targets(const NdpConfig& config,
                                     std::span<const NdpTunnelPrefix> prefixes, std::size_t most);

}  // namespace culvert
