#include "engine/host/base_chains.h"

#include <netinet/in.h>  // first, so that the kernel's headers do not declare the same again

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "io/netlink/netlink_request.h"
#include "proto/byte_order.h"

namespace culvert::host {

int read_base_chains(std::vector<BaseChain>& chains) {
  const nfgenmsg header{.nfgen_family = NFPROTO_UNSPEC, .version = NFNETLINK_V0, .res_id = 0};
  constexpr int kType = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETCHAIN;
  return netlink::dump_objects(NETLINK_NETFILTER, kType, header, chains, [&](nlmsghdr* message) {
    const auto attribute = [&](int type) { return netlink::attribute<nfgenmsg>(message, type); };
    nlattr* const hook = attribute(NFTA_CHAIN_HOOK);
    if (hook == nullptr) return;
    nlattr* const number =
        nla_find(static_cast<nlattr*>(nla_data(hook)), nla_len(hook), NFTA_HOOK_HOOKNUM);
    if (number == nullptr) return;
    std::uint32_t policy = 0;
    const bool has_policy = netlink::copy(attribute(NFTA_CHAIN_POLICY), policy);
    chains.push_back({.family = static_cast<const nfgenmsg*>(nlmsg_data(message))->nfgen_family,
                      .table = netlink::text_of(attribute(NFTA_CHAIN_TABLE)),
                      .name = netlink::text_of(attribute(NFTA_CHAIN_NAME)),
                      .hook = proto::swap_if_little(nla_get_u32(number)),
                      .drops_by_policy = has_policy && policy == NF_DROP});
  });
}

}  // namespace culvert::host
