#include "engine/host/firewall_check.h"

#include <netinet/in.h>  // first, so that the kernel's headers do not declare the same again

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <algorithm>
#include <functional>
#include <initializer_list>
#include <string_view>

#include "engine/host/address_sync.h"
#include "io/netlink/netlink_request.h"
#include "proto/byte_order.h"

namespace culvert::host {
namespace {

/// A base chain of nftables.
struct Chain {
  std::uint8_t family = NFPROTO_UNSPEC;
  std::string table, name;
  std::uint32_t hook = 0;
  bool drops_by_policy = false;

  /// "ip6 filter FORWARD", as nft writes it.
  [[nodiscard]] std::string to_text() const {
    const std::string_view family_name = family == NFPROTO_INET   ? "inet"
                                         : family == NFPROTO_IPV6 ? "ip6"
                                                                  : "ip";
    return std::string{family_name} + " " + table + " " + name;
  }
};

/// Dumps all objects of one type of nftables; none if they cannot be read.
void dump(int type, const std::function<void(nlmsghdr*)>& each) {
  const auto socket = netlink::connect_netlink(NETLINK_NETFILTER);
  if (!socket) return;
  const nfgenmsg header{.nfgen_family = NFPROTO_UNSPEC, .version = NFNETLINK_V0, .res_id = 0};
  netlink::request_objects(socket->get(), NFNL_SUBSYS_NFTABLES << 8 | type, NLM_F_DUMP, header,
                           each);
}

nlattr* attribute(nlmsghdr* message, int type) {
  return netlink::attribute<nfgenmsg>(message, type);
}

std::uint8_t family_of(nlmsghdr* message) {
  return static_cast<const nfgenmsg*>(nlmsg_data(message))->nfgen_family;
}

std::vector<Chain> find_base_chains() {
  std::vector<Chain> chains;
  dump(NFT_MSG_GETCHAIN, [&](nlmsghdr* message) {
    nlattr* const hook = attribute(message, NFTA_CHAIN_HOOK);
    if (hook == nullptr) return;
    nlattr* const number =
        nla_find(static_cast<nlattr*>(nla_data(hook)), nla_len(hook), NFTA_HOOK_HOOKNUM);
    if (number == nullptr) return;
    std::uint32_t policy = 0;
    const bool has_policy = netlink::copy(attribute(message, NFTA_CHAIN_POLICY), policy);
    chains.push_back({.family = family_of(message),
                      .table = netlink::text_of(attribute(message, NFTA_CHAIN_TABLE)),
                      .name = netlink::text_of(attribute(message, NFTA_CHAIN_NAME)),
                      .hook = proto::swap_if_little(nla_get_u32(number)),
                      .drops_by_policy = has_policy && policy == NF_DROP});
  });
  return chains;
}

/// Whether a rule of the chain's table contains one of these texts: the name of an interface or of an
/// expression. `in_chain`: only rules of the chain itself.
bool has_rule_with(const Chain& chain, std::initializer_list<std::string_view> texts,
                   bool in_chain) {
  bool is_found = false;
  dump(NFT_MSG_GETRULE, [&](nlmsghdr* message) {
    if (is_found || family_of(message) != chain.family ||
        netlink::text_of(attribute(message, NFTA_RULE_TABLE)) != chain.table)
      return;
    if (in_chain && netlink::text_of(attribute(message, NFTA_RULE_CHAIN)) != chain.name) return;
    const std::string_view rule{reinterpret_cast<const char*>(message), message->nlmsg_len};
    is_found = std::any_of(texts.begin(), texts.end(), [&](std::string_view text) {
      return rule.find(text) != std::string_view::npos;
    });
  });
  return is_found;
}

/// The IP versions for which the kernel forwards between the device and others.
struct Forwarded {
  bool ipv6 = false, ipv4 = false;
};

Forwarded forwarded(const DeviceSettings& settings) {
  Forwarded result{.ipv6 = settings.forwarding && carries_ipv6(settings), .ipv4 = false};
  for (const TunnelConfig& tunnel : settings.config.tunnels) {
    result.ipv6 |= !tunnel.prefixes6.empty();
    result.ipv4 |= !tunnel.prefixes4.empty();
  }
  return result;
}

void warn_of_forward_chain(const Chain& chain, const DeviceSettings& settings,
                           std::vector<std::string>& warnings) {
  const Forwarded versions = forwarded(settings);
  const bool is_concerned = (chain.family == NFPROTO_INET && (versions.ipv6 || versions.ipv4)) ||
                            (chain.family == NFPROTO_IPV6 && versions.ipv6) ||
                            (chain.family == NFPROTO_IPV4 && versions.ipv4);
  const std::string& device = settings.config.device;
  if (!is_concerned || !chain.drops_by_policy || has_rule_with(chain, {device}, false)) return;
  const std::string insert = "nft insert rule " + chain.to_text() + " ";
  warnings.push_back("the firewall drops by policy in chain " + chain.to_text() +
                     " what this host forwards (Docker sets that), and no rule there names " +
                     device + ": `" + insert + "iifname " + device + " accept` and `" + insert +
                     "oifname " + device + " accept`");
}

/// The bytes of an address, as a rule contains them.
std::string_view as_text(const proto::Ipv4Address& address) {
  return {reinterpret_cast<const char*>(address.bytes.data()), address.bytes.size()};
}

/// A masquerade takes the address of the route, so a tunnel with that address is not changed.
void warn_of_masquerade(netlink::Netlink& netlink, const Chain& chain,
                        const DeviceSettings& settings, std::vector<std::string>& warnings) {
  const bool is_ipv4 = chain.family == NFPROTO_INET || chain.family == NFPROTO_IPV4;
  if (!is_ipv4 || settings.config.send == SendChoice::packet) return;
  if (!has_rule_with(chain, {"masq", "MASQUERADE"}, true)) return;
  for (const TunnelConfig& tunnel : settings.config.tunnels) {
    if (!tunnel.local || !tunnel.remote.is_fixed()) continue;
    const auto route = netlink.route_to(tunnel.remote.address());
    if (!route || !*route || (*route)->source == *tunnel.local) continue;
    const std::string exempt = "nft insert rule " + chain.to_text() + " ip saddr " +
                               tunnel.local->to_text() + " ip daddr " + tunnel.remote.to_text() +
                               " accept";
    if (has_rule_with(chain, {as_text(*tunnel.local)}, true)) continue;  // it is exempt already
    warnings.push_back("masquerade in chain " + chain.to_text() + " can rewrite local " +
                       tunnel.local->to_text() + " to " + (*route)->source.to_text() +
                       ", and then remote drops every packet: `" + exempt +
                       "`, and delete the entries of conntrack for remote");
    return;
  }
}

}  // namespace

std::vector<std::string> firewall_warnings(netlink::Netlink& netlink,
                                           const DeviceSettings& settings) {
  std::vector<std::string> warnings;
  for (const Chain& chain : find_base_chains()) {
    if (chain.hook == NF_INET_FORWARD) warn_of_forward_chain(chain, settings, warnings);
    if (chain.hook == NF_INET_POST_ROUTING) warn_of_masquerade(netlink, chain, settings, warnings);
  }
  return warnings;
}

}  // namespace culvert::host
