// What stands in the kernel's IPv4 output path, so that it would be passed by if packets were sent
// by packet sockets: firewall and NAT, IPsec policies, routing rules by protocol or TOS. One
// thread.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "io/netlink/netlink.h"

namespace culvert::host {

/// The first thing found that packet sockets would pass by, in words; nothing: there is none. What
/// cannot be read counts as found. cgroup programs (BPF_CGROUP_INET_EGRESS) are not seen.
/// `receives_behind_firewall`: chains on input count as well, since they may let in only what
/// belongs to a connection, and packet sockets open none (conntrack).
[[nodiscard]] std::optional<std::string> find_bypassed_rule(bool receives_behind_firewall);

/// Tells that nftables' rules or IPsec policies may have changed. Each may be missing in a kernel:
/// then there is nothing to tell of it. The tables of iptables' older kind tell nothing: who needs
/// them asks again now and then.
class BypassWatch {
 public:
  [[nodiscard]] static BypassWatch open();
  /// Readable: something may have changed.
  [[nodiscard]] std::vector<int> fds() const;
  void drain() noexcept;

 private:
  std::vector<netlink::NlSocket> sockets_;
};

/// Whether iptables' older kind has tables here.
[[nodiscard]] bool has_silent_tables();

}  // namespace culvert::host
