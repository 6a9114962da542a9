#include "engine/host/ndp_link.h"

#include <linux/ipv6.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string_view>
#include <utility>

#include "engine/host/kernel_routes.h"
#include "io/netlink/netlink_request.h"
#include "io/netlink/route_filter.h"
#include "io/sort_unique.h"

namespace culvert::host {
namespace {

using netlink::attribute;
using netlink::copy;
using proto::Ipv6Address;

/// States in which the kernel knows the link-layer address, even if it is stale. NUD_NOARP is left
/// out: those entries are multicast groups and the like.
constexpr unsigned kKnownStates = NUD_PERMANENT | NUD_REACHABLE | NUD_PROBE | NUD_STALE | NUD_DELAY;

/// The bridge of which a link is a port; empty: it is none. A bridge receives what its ports receive.
std::string bridge_of(nlmsghdr* link) {
  std::uint32_t master = 0;
  nlattr* const info = attribute<ifinfomsg>(link, IFLA_LINKINFO);
  if (info == nullptr || !copy(attribute<ifinfomsg>(link, IFLA_MASTER), master)) return {};
  nlattr* const kind =
      nla_find(static_cast<nlattr*>(nla_data(info)), nla_len(info), IFLA_INFO_SLAVE_KIND);
  const bool is_port = kind != nullptr && std::string_view{nla_get_string(kind)} == "bridge";
  return is_port ? netlink::interface_name(master) : "";
}

/// Whether the sysctl disable_ipv6 of a link is set.
bool has_ipv6_disabled(nlmsghdr* link) {
  const auto nested = [](nlattr* in, int type) {
    return in == nullptr ? nullptr
                         : nla_find(static_cast<nlattr*>(nla_data(in)), nla_len(in), type);
  };
  nlattr* const conf =
      nested(nested(attribute<ifinfomsg>(link, IFLA_AF_SPEC), AF_INET6), IFLA_INET6_CONF);
  constexpr int kEnd = (DEVCONF_DISABLE_IPV6 + 1) * static_cast<int>(sizeof(std::int32_t));
  if (conf == nullptr || nla_len(conf) < kEnd) return false;
  return static_cast<const std::int32_t*>(nla_data(conf))[DEVCONF_DISABLE_IPV6] != 0;
}

/// Reads the link into `found`, with the reason if it is unusable. Returns 0 or an errno.
int read_link(netlink::Netlink& netlink, unsigned index, NdpLinkFound& found) {
  ifinfomsg header{};
  header.ifi_index = static_cast<int>(index);
  return netlink::request_object(netlink.socket(), RTM_GETLINK, header, [&](nlmsghdr* part) {
    const auto* link = static_cast<const ifinfomsg*>(nlmsg_data(part));
    std::uint32_t mtu_bytes = 0;
    const bool has_address =
        copy(attribute<ifinfomsg>(part, IFLA_ADDRESS), found.interface.address.bytes);
    if (link->ifi_type != ARPHRD_ETHER || !has_address) {
      found.unusable_reason = "it is not an Ethernet interface, so it has no neighbors";
    } else if ((link->ifi_flags & IFF_UP) == 0) {
      found.unusable_reason = "it is down";
    } else if (const std::string bridge = bridge_of(part); !bridge.empty()) {
      found.unusable_reason = "it is a port of " + bridge +
                              ", which receives its solicitations: write [ndp." + bridge + "]";
    } else {
      found.interface.index = index;
      if (has_ipv6_disabled(part))
        found.unusable_reason = netlink::disabled_ipv6_advice(netlink::interface_name(index));
    }
    if (copy(attribute<ifinfomsg>(part, IFLA_MTU), mtu_bytes)) {
      found.interface.mtu_bytes = static_cast<std::uint16_t>(std::min(mtu_bytes, 65'535u));
    }
  });
}

/// One IPv6 address of an interface.
struct OwnAddress {
  proto::Ipv6Prefix prefix;
  bool is_usable = false;  ///< duplicate address detection has succeeded
  bool is_preferred_global = false;
};

/// Reads the IPv6 addresses of an interface. Returns 0 or an errno.
int read_addresses(netlink::Netlink& netlink, unsigned index, std::vector<OwnAddress>& found) {
  ifaddrmsg header{};
  header.ifa_family = AF_INET6;
  header.ifa_index = index;
  const netlink::StrictCheck strict{netlink.socket()};
  return netlink::dump_objects(netlink.socket(), RTM_GETADDR, header, found, [&](nlmsghdr* part) {
    const auto* facts = static_cast<const ifaddrmsg*>(nlmsg_data(part));
    if (facts->ifa_family != AF_INET6 || facts->ifa_index != index) return;
    OwnAddress own{.prefix = {.address = {}, .length_bits = facts->ifa_prefixlen}};
    // On a point-to-point interface IFA_ADDRESS is the address of the peer.
    if (!copy(attribute<ifaddrmsg>(part, IFA_LOCAL), own.prefix.address.bytes) &&
        !copy(attribute<ifaddrmsg>(part, IFA_ADDRESS), own.prefix.address.bytes))
      return;
    std::uint32_t flags = facts->ifa_flags;
    copy(attribute<ifaddrmsg>(part, IFA_FLAGS), flags);
    own.is_usable = (flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)) == 0;
    own.is_preferred_global =
        own.is_usable && (flags & IFA_F_DEPRECATED) == 0 && facts->ifa_scope == RT_SCOPE_UNIVERSE;
    found.push_back(own);
  });
}

void set_addresses(const std::vector<OwnAddress>& addresses, NdpInterface& interface) {
  Ipv6Address other;  // than link-local
  bool has_link_local = false;
  for (const auto& [prefix, is_usable, is_preferred_global] : addresses) {
    const Ipv6Address& address = prefix.address;
    has_link_local |= address.is_link_local();
    auto& source = address.is_link_local() ? interface.link_local : other;
    if (is_usable && source.is_unspecified()) source = address;
    if (is_preferred_global && interface.global.is_unspecified()) interface.global = address;
    interface.own.push_back(address);
    if (prefix.length_bits < 128 && !address.is_link_local())
      interface.on_link.push_back(prefix.network());
  }
  // One that is tentative will be usable soon.
  if (!has_link_local) interface.link_local = other;
  std::sort(interface.own.begin(), interface.own.end());
  io::sort_unique(interface.on_link);
}

}  // namespace

Result<NdpLinkFound> find_ndp_link(netlink::Netlink& netlink, const std::string& name) {
  NdpLinkFound found;
  const unsigned index = ::if_nametoindex(name.c_str());
  const NdpLinkFound none{.interface = {}, .unusable_reason = "there is no such interface"};
  if (index == 0) return none;
  if (const int code = read_link(netlink, index, found); code != 0) {
    if (code == ENODEV) return none;  // removed meanwhile
    return netlink::fail(code, "read link", name);
  }
  if (found.interface.index == 0) return found;
  std::vector<OwnAddress> addresses;
  if (const int code = read_addresses(netlink, index, addresses); code != 0)
    return netlink::fail(code, "read addresses of", name);
  set_addresses(addresses, found.interface);
  if (found.interface.link_local.is_unspecified() && found.unusable_reason.empty()) {
    found.unusable_reason = "it has no usable link-local address yet, and no other IPv6 address";
  }
  return found;
}

Result<std::vector<NdpNeighbor>> find_neighbors(netlink::Netlink& netlink,
                                                unsigned interface_index) {
  ndmsg header{};
  header.ndm_family = AF_INET6;
  const auto message = netlink::make_request(RTM_GETNEIGH, NLM_F_DUMP, header);
  if (!message) return netlink::fail(ENOMEM, "read", "neighbors");
  nla_put_u32(message.get(), NDA_IFINDEX, interface_index);
  std::vector<NdpNeighbor> neighbors;
  const auto add = [&](nlmsghdr* part) {
    const auto* facts = static_cast<const ndmsg*>(nlmsg_data(part));
    NdpNeighbor neighbor;
    const bool is_known =
        facts->ndm_family == AF_INET6 && facts->ndm_ifindex == static_cast<int>(interface_index) &&
        (facts->ndm_state & kKnownStates) != 0 && (facts->ndm_flags & NTF_PROXY) == 0;
    if (is_known && copy(attribute<ndmsg>(part, NDA_DST), neighbor.address.bytes) &&
        copy(attribute<ndmsg>(part, NDA_LLADDR), neighbor.link_layer.bytes))
      neighbors.push_back(neighbor);
  };
  const int code = netlink::dump(
      netlink.socket(), message.get(), [&] { neighbors.clear(); }, add);
  if (code != 0)
    return netlink::fail(code, "read neighbors of", netlink::interface_name(interface_index));
  std::sort(neighbors.begin(), neighbors.end());
  return neighbors;
}

// ---- changes ------------------------------------------------------------------------------------

Result<NdpWatch> NdpWatch::open(Kind kind) {
  const auto subscribe = [kind] {
    switch (kind) {
      case Kind::neighbors:
        return netlink::subscribe(NETLINK_ROUTE, {RTNLGRP_NEIGH}, "neighbors");
      case Kind::routes:
        return netlink::subscribe(NETLINK_ROUTE, {RTNLGRP_IPV6_ROUTE}, "IPv6 routes");
      case Kind::links:
        break;
    }
    return netlink::subscribe(NETLINK_ROUTE, {RTNLGRP_LINK, RTNLGRP_IPV6_IFADDR},
                              "links and IPv6 addresses");
  };
  auto socket = subscribe();
  if (!socket) return Unexpected{socket.error()};
  NdpWatch watch{kind, std::move(*socket)};
  watch.set_interests({});
  return watch;
}

void NdpWatch::set_interests(std::vector<NdpInterest> interests) {
  interests_ = std::move(interests);
  if (kind_ == Kind::links) return;
  std::vector<unsigned> indexes;
  for (const NdpInterest& each : interests_) indexes.push_back(each.interface_index);
  if (kind_ == Kind::routes) return watch_routes(std::move(indexes));
  constexpr std::uint32_t kIndexOffset = NLMSG_HDRLEN + offsetof(ndmsg, ndm_ifindex);
  netlink::filter_interfaces(socket_.get(), {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kIndexOffset)},
                             indexes);
}

/// By the interfaces there may be gateways.
void NdpWatch::watch_routes(std::vector<unsigned> indexes) {
  netlink::RouteInterests routes{
      .prefixes4 = {}, .prefixes6 = {}, .interfaces = std::move(indexes)};
  for (const NdpInterest& each : interests_) {
    for (const NdpRule& rule : each.rules)
      if (rule.answer == NdpAnswer::automatic) routes.prefixes6.push_back(rule.prefix);
  }
  netlink::filter_routes(socket_.get(), AF_INET6, routes);
}

int NdpWatch::fd() const noexcept { return nl_socket_get_fd(socket_.get()); }

bool NdpWatch::drain() {
  if (kind_ != Kind::routes) {
    netlink::drain(socket_.get());
    return true;
  }
  bool is_concerned = false;
  netlink::read_events(socket_.get(), [&](nlmsghdr* message) {
    is_concerned = is_concerned || message == nullptr || concerns(message);
  });
  return is_concerned;
}

bool NdpWatch::concerns(nlmsghdr* message) const {
  return std::any_of(interests_.begin(), interests_.end(), [&](const NdpInterest& each) {
    const auto routes = read_kernel_route(message, each.interface_index, {}, each.rules);
    return !routes.prefixes.empty() || !routes.gateways.empty();
  });
}

}  // namespace culvert::host
