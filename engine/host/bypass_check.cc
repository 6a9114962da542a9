#include "engine/host/bypass_check.h"

#include <netinet/in.h>  // first, so that the kernel's headers do not declare the same again

#include <linux/fib_rules.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <linux/xfrm.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>

#include <cerrno>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <utility>

#include "engine/host/base_chains.h"
#include "io/netlink/netlink_request.h"

namespace culvert::host {
namespace {

/// A dump that others interrupt all the while (EINTR) counts as one that cannot be read: no packet
/// bypasses a rule that is perhaps there. Their changes are events of BypassWatch, so another check
/// follows.
using Finding = std::optional<std::string>;

/// The names of the legacy iptables tables in this network namespace, one a line.
constexpr const char* kTablesPath = "/proc/self/net/ip_tables_names";

/// Whether the errno means that the kernel or the namespace does not support the dumped type.
bool is_absent(int code) {
  return code == EPROTONOSUPPORT || code == EAFNOSUPPORT || code == EINVAL || code == EOPNOTSUPP ||
         code == ENOENT;
}

/// Whether a packet from a raw socket passes a base chain of this family and hook, but a packet
/// from a packet socket does not. Chains on egress count too: they run before the program that
/// encapsulates super-packets (io/bpf/encapsulator_program.h), so they do not see outer packets.
bool is_in_path(unsigned family, unsigned hook, bool counts_input) {
  if (family == NFPROTO_NETDEV) return hook == NF_NETDEV_EGRESS;
  if (family != NFPROTO_INET && family != NFPROTO_IPV4) return false;
  if (hook == NF_INET_LOCAL_OUT || hook == NF_INET_POST_ROUTING) return true;
  return counts_input && (hook == NF_INET_LOCAL_IN || hook == NF_INET_PRE_ROUTING);
}

Finding find_nftables(bool counts_input) {
  std::vector<BaseChain> chains;
  const int code = read_base_chains(chains);
  if (code != 0 && !is_absent(code)) return "nftables, which cannot be read here";
  for (const BaseChain& chain : chains) {
    if (is_in_path(chain.family, chain.hook, counts_input))
      return "nftables, chain " + chain.table + " " + chain.name;
  }
  return std::nullopt;
}

/// The first table of legacy iptables. Each table has chains on the output hooks, even if they are
/// empty.
Finding find_iptables() {
  std::ifstream tables{kTablesPath};
  std::string name;
  if (!std::getline(tables, name) || name.empty()) return std::nullopt;
  return "iptables, table " + name;
}

Finding find_ipsec() {
  const xfrm_userpolicy_id header{};
  bool is_found = false;
  const int code = netlink::dump_objects(
      NETLINK_XFRM, XFRM_MSG_GETPOLICY, header, is_found, [&](nlmsghdr* part) {
        is_found |=
            static_cast<const xfrm_userpolicy_info*>(nlmsg_data(part))->dir == XFRM_POLICY_OUT;
      });
  if (code != 0 && !is_absent(code)) return "IPsec policies, which cannot be read here";
  return is_found ? Finding{"an IPsec policy"} : std::nullopt;
}

/// A routing rule that a route look-up by addresses alone does not match.
Finding find_rules() {
  constexpr int kDscp = 25;  // FRA_DSCP, newer than the headers of Debian 12
  fib_rule_hdr header{};
  header.family = AF_INET;
  bool is_found = false;
  const int code =
      netlink::dump_objects(NETLINK_ROUTE, RTM_GETRULE, header, is_found, [&](nlmsghdr* part) {
        is_found |= nlmsg_find_attr(part, sizeof(fib_rule_hdr), FRA_IP_PROTO) != nullptr ||
                    nlmsg_find_attr(part, sizeof(fib_rule_hdr), kDscp) != nullptr ||
                    static_cast<const fib_rule_hdr*>(nlmsg_data(part))->tos != 0;
      });
  if (code != 0 && !is_absent(code)) return "routing rules, which cannot be read here";
  return is_found ? Finding{"a routing rule by protocol or TOS"} : std::nullopt;
}

}  // namespace

std::optional<std::string> find_bypassed_rule(bool receives_behind_firewall) {
  if (auto found = find_nftables(receives_behind_firewall)) return found;
  for (const auto find : {find_iptables, find_ipsec, find_rules}) {
    if (auto found = find()) return found;
  }
  return std::nullopt;
}

std::string legacy_iptables() {
  std::ifstream tables{kTablesPath};
  return {std::istreambuf_iterator<char>{tables}, {}};
}

BypassWatch BypassWatch::open() {
  BypassWatch watch;
  const auto add = [&](int protocol, int group) {
    auto socket = netlink::subscribe(protocol, {group}, "firewall rules");
    if (socket) watch.sockets_.push_back(std::move(*socket));
  };
  add(NETLINK_NETFILTER, NFNLGRP_NFTABLES);
  add(NETLINK_XFRM, XFRMNLGRP_POLICY);
  add(NETLINK_ROUTE, RTNLGRP_IPV4_RULE);
  return watch;
}

std::vector<int> BypassWatch::fds() const {
  std::vector<int> fds;
  for (const netlink::NlSocket& socket : sockets_) fds.push_back(nl_socket_get_fd(socket.get()));
  return fds;
}

void BypassWatch::drain() noexcept {
  for (const netlink::NlSocket& socket : sockets_) netlink::drain(socket.get());
}

}  // namespace culvert::host
