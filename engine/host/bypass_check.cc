#include "engine/host/bypass_check.h"

#include <netinet/in.h>  // first, so that the kernel's headers do not declare the same again

#include <linux/fib_rules.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <linux/xfrm.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>

#include <cerrno>
#include <cstdint>
#include <fstream>
#include <utility>

#include "io/netlink/netlink_request.h"
#include "proto/byte_order.h"

namespace culvert::host {
namespace {

using Finding = std::optional<std::string>;

/// The names of the legacy iptables tables in this network namespace, one a line.
constexpr const char* kTablesPath = "/proc/self/net/ip_tables_names";

/// Dumps all objects of one type and calls `each` for each of them. `header` starts the request.
/// Returns 0 or an errno.
template <class Header>
int dump(int protocol, int type, const Header& header, const std::function<void(nlmsghdr*)>& each) {
  const auto socket = netlink::connect_netlink(protocol);
  if (!socket) return socket.error().code;
  const netlink::Message message{nlmsg_alloc_simple(type, NLM_F_DUMP)};
  nlmsg_append(message.get(), const_cast<Header*>(&header), sizeof header, NLMSG_ALIGNTO);
  return netlink::request(socket->get(), message.get(), each);
}

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
  const nfgenmsg header{.nfgen_family = NFPROTO_UNSPEC, .version = NFNETLINK_V0, .res_id = 0};
  constexpr int kType = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETCHAIN;
  Finding found;
  const int code = dump(NETLINK_NETFILTER, kType, header, [&](nlmsghdr* part) {
    const auto family = static_cast<const nfgenmsg*>(nlmsg_data(part))->nfgen_family;
    nlattr* const hook = nlmsg_find_attr(part, sizeof(nfgenmsg), NFTA_CHAIN_HOOK);
    if (found || hook == nullptr) return;
    nlattr* const number =
        nla_find(static_cast<nlattr*>(nla_data(hook)), nla_len(hook), NFTA_HOOK_HOOKNUM);
    if (number == nullptr) return;
    if (!is_in_path(family, proto::swap_if_little(nla_get_u32(number)), counts_input)) return;
    found = "nftables, chain " +
            netlink::text_of(nlmsg_find_attr(part, sizeof(nfgenmsg), NFTA_CHAIN_TABLE)) + " " +
            netlink::text_of(nlmsg_find_attr(part, sizeof(nfgenmsg), NFTA_CHAIN_NAME));
  });
  if (code != 0 && !is_absent(code)) return "nftables, which cannot be read here";
  return found;
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
  const int code = dump(NETLINK_XFRM, XFRM_MSG_GETPOLICY, header, [&](nlmsghdr* part) {
    is_found |= static_cast<const xfrm_userpolicy_info*>(nlmsg_data(part))->dir == XFRM_POLICY_OUT;
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
  const int code = dump(NETLINK_ROUTE, RTM_GETRULE, header, [&](nlmsghdr* part) {
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

bool has_legacy_iptables() { return std::ifstream{kTablesPath}.good(); }

BypassWatch BypassWatch::open() {
  BypassWatch watch;
  const auto add = [&](int protocol, int group) {
    auto socket = netlink::connect_netlink(protocol);
    if (!socket) return;
    if (nl_socket_add_membership(socket->get(), group) < 0) return;
    if (nl_socket_set_nonblocking(socket->get()) < 0) return;
    watch.sockets_.push_back(std::move(*socket));
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
