#include "engine/host/firewall_check.h"

#include <netinet/in.h>  // first, so that the kernel's headers do not declare the same again

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <algorithm>
#include <cerrno>
#include <initializer_list>
#include <string_view>

#include "engine/host/address_sync.h"
#include "engine/host/base_chains.h"
#include "io/netlink/netlink_request.h"

namespace culvert::host {
namespace {

/// "ip6 filter FORWARD", as nft writes it.
std::string to_text(const BaseChain& chain) {
  const std::string_view family = chain.family == NFPROTO_INET   ? "inet"
                                  : chain.family == NFPROTO_IPV6 ? "ip6"
                                                                 : "ip";
  return std::string{family} + " " + chain.table + " " + chain.name;
}

/// Whether a rule of the chain's table contains one of these texts: the name of an interface or of an
/// expression. `in_chain`: only rules of the chain itself.
bool has_rule_with(const BaseChain& chain, std::initializer_list<std::string_view> texts,
                   bool in_chain) {
  const nfgenmsg header{.nfgen_family = chain.family, .version = NFNETLINK_V0, .res_id = 0};
  constexpr int kType = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETRULE;
  bool is_found = false;
  const auto code =
      netlink::dump_objects(NETLINK_NETFILTER, kType, header, is_found, [&](nlmsghdr* message) {
        const auto text_of = [&](int type) {
          return netlink::text_of(netlink::attribute<nfgenmsg>(message, type));
        };
        if (is_found || text_of(NFTA_RULE_TABLE) != chain.table) return;
        if (in_chain && text_of(NFTA_RULE_CHAIN) != chain.name) return;
        const std::string_view rule{reinterpret_cast<const char*>(message), message->nlmsg_len};
        is_found = std::any_of(texts.begin(), texts.end(), [&](std::string_view text) {
          return rule.find(text) != std::string_view::npos;
        });
      });
  return is_found || code == EINTR;  // rules are being changed: then another check follows
}

/// The IP versions for which the kernel forwards between the device and others.
struct Forwarded {
  bool ipv6 = false, ipv4 = false;
};

Forwarded forwarded(const DeviceSettings& settings) {
  const auto& tunnels = settings.config.tunnels;
  return {.ipv6 = (settings.forwarding && carries_ipv6(settings)) || has_ipv6_prefix(tunnels),
          .ipv4 = has_ipv4_prefix(tunnels)};
}

void warn_of_forward_chain(const BaseChain& chain, const DeviceSettings& settings,
                           std::vector<std::string>& warnings) {
  const Forwarded versions = forwarded(settings);
  const bool is_concerned = (chain.family == NFPROTO_INET && (versions.ipv6 || versions.ipv4)) ||
                            (chain.family == NFPROTO_IPV6 && versions.ipv6) ||
                            (chain.family == NFPROTO_IPV4 && versions.ipv4);
  const std::string& device = settings.config.device;
  if (!is_concerned || !chain.drops_by_policy || has_rule_with(chain, {device}, false)) return;
  const std::string insert = "nft insert rule " + to_text(chain) + " ";
  warnings.push_back("the firewall drops by policy in chain " + to_text(chain) +
                     " what this host forwards (Docker sets that), and no rule there names " +
                     device + ": `" + insert + "iifname " + device + " accept` and `" + insert +
                     "oifname " + device + " accept`");
}

/// The bytes of an address, as a rule contains them.
std::string_view as_text(const proto::Ipv4Address& address) {
  return {reinterpret_cast<const char*>(address.bytes.data()), address.bytes.size()};
}

/// A masquerade takes the address of the route, so a tunnel with that address is not changed.
void warn_of_masquerade(netlink::Netlink& netlink, const BaseChain& chain,
                        const DeviceSettings& settings, std::vector<std::string>& warnings) {
  const bool is_ipv4 = chain.family == NFPROTO_INET || chain.family == NFPROTO_IPV4;
  if (!is_ipv4 || settings.config.send == SendChoice::packet) return;
  if (!has_rule_with(chain, {"masq", "MASQUERADE"}, true)) return;
  for (const TunnelConfig& tunnel : settings.config.tunnels) {
    if (!tunnel.local || !tunnel.remote.is_fixed()) continue;
    const auto route = netlink.route_to(tunnel.remote.address());
    if (!route || !*route || (*route)->source == *tunnel.local) continue;
    const std::string exempt = "nft insert rule " + to_text(chain) + " ip saddr " +
                               tunnel.local->to_text() + " ip daddr " + tunnel.remote.to_text() +
                               " accept";
    if (has_rule_with(chain, {as_text(*tunnel.local)}, true)) continue;  // it is exempt already
    warnings.push_back("masquerade in chain " + to_text(chain) + " can rewrite local " +
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
  std::vector<BaseChain> chains;
  // Chains that others change all the while cannot be read; their last change starts another check.
  if (read_base_chains(chains) != 0) return warnings;
  for (const BaseChain& chain : chains) {
    if (chain.hook == NF_INET_FORWARD) warn_of_forward_chain(chain, settings, warnings);
    if (chain.hook == NF_INET_POST_ROUTING) warn_of_masquerade(netlink, chain, settings, warnings);
  }
  return warnings;
}

}  // namespace culvert::host
