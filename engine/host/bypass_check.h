// Finds the parts of the kernel's IPv4 output path that packet sockets bypass: firewall and NAT,
// IPsec policies, routing rules by protocol or TOS. With `send auto` culvert then sends by raw
// sockets. One thread.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "io/netlink/netlink.h"

namespace culvert::host {

/// Describes the first rule that packet sockets would bypass, like "nftables, chain filter out";
/// nullopt: there is none. A rule set that cannot be read counts as a rule. cgroup programs
/// (BPF_CGROUP_INET_EGRESS) are not detected.
/// `receives_behind_firewall`: chains on input count as well. They may accept only packets of known
/// connections, and packets from packet sockets create no connection in conntrack.
[[nodiscard]] std::optional<std::string> find_bypassed_rule(bool receives_behind_firewall);

/// Reports that nftables rules, IPsec policies or routing rules may have changed. A kernel without
/// one of these sends no events for it. Legacy iptables sends no events, so poll
/// legacy_iptables().
class BypassWatch {
 public:
  [[nodiscard]] static BypassWatch open();
  /// A descriptor is readable after a change.
  [[nodiscard]] std::vector<int> fds() const;
  /// Discards the events received so far. Does not block.
  void drain() noexcept;

 private:
  std::vector<netlink::NlSocket> sockets_;
};

/// The names of the tables of legacy iptables in this network namespace, one a line; empty: there are
/// none.
[[nodiscard]] std::string legacy_iptables();

}  // namespace culvert::host
