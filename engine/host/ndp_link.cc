#include "engine/host/ndp_link.h"

#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "io/netlink/netlink_request.h"

namespace culvert::host {
namespace {

using proto::Ipv6Address;

/// States in which the kernel knows the link-layer address, even if it is stale. NUD_NOARP is left
/// out: those entries are multicast groups and the like.
constexpr unsigned kKnownStates = NUD_PERMANENT | NUD_REACHABLE | NUD_PROBE | NUD_STALE | NUD_DELAY;

template <class Header>
nlattr* attribute(nlmsghdr* message, int type) {
  return nlmsg_find_attr(message, sizeof(Header), type);
}

/// Copies the value of an attribute. False: there is none, or its size is not that of `to`.
template <class Bytes>
bool copy(nlattr* from, Bytes& to) {
  if (from == nullptr || nla_len(from) != static_cast<int>(sizeof to)) return false;
  std::memcpy(&to, nla_data(from), sizeof to);
  return true;
}

/// Sends a request for one object or, with NLM_F_DUMP, for all objects of one family, and calls
/// `each` for each message of the answer. Returns 0 or an errno.
template <class Header>
int send_request(netlink::Netlink& netlink, int type, int flags, const Header& header,
                 const std::function<void(nlmsghdr*)>& each) {
  const netlink::Message message{nlmsg_alloc_simple(type, flags)};
  if (!message) return ENOMEM;
  nlmsg_append(message.get(), const_cast<Header*>(&header), sizeof header, NLMSG_ALIGNTO);
  return netlink::request(netlink.socket(), message.get(), each);
}

/// Reads the link into `found`, with the reason if it is unusable. Returns 0 or an errno.
int read_link(netlink::Netlink& netlink, unsigned index, NdpLinkFound& found) {
  ifinfomsg header{};
  header.ifi_index = static_cast<int>(index);
  return send_request(netlink, RTM_GETLINK, 0, header, [&](nlmsghdr* part) {
    const auto* link = static_cast<const ifinfomsg*>(nlmsg_data(part));
    std::uint32_t mtu_bytes = 0;
    const bool has_address =
        copy(attribute<ifinfomsg>(part, IFLA_ADDRESS), found.interface.address.bytes);
    if (link->ifi_type != ARPHRD_ETHER || !has_address) {
      found.unusable_reason = "it is not an Ethernet interface, so it has no neighbors";
    } else if ((link->ifi_flags & IFF_UP) == 0) {
      found.unusable_reason = "it is down";
    } else {
      found.interface.index = index;
    }
    if (copy(attribute<ifinfomsg>(part, IFLA_MTU), mtu_bytes)) {
      found.interface.mtu_bytes = static_cast<std::uint16_t>(std::min(mtu_bytes, 65'535u));
    }
  });
}

/// Reads the IPv6 addresses of the interface. Returns 0 or an errno.
int read_addresses(netlink::Netlink& netlink, NdpInterface& interface) {
  ifaddrmsg header{};
  header.ifa_family = AF_INET6;
  return send_request(netlink, RTM_GETADDR, NLM_F_DUMP, header, [&](nlmsghdr* part) {
    const auto* facts = static_cast<const ifaddrmsg*>(nlmsg_data(part));
    Ipv6Address address;
    if (facts->ifa_family != AF_INET6 || facts->ifa_index != interface.index) return;
    // On a point-to-point interface IFA_ADDRESS is the address of the peer.
    if (!copy(attribute<ifaddrmsg>(part, IFA_LOCAL), address.bytes) &&
        !copy(attribute<ifaddrmsg>(part, IFA_ADDRESS), address.bytes)) {
      return;
    }
    std::uint32_t flags = facts->ifa_flags;
    copy(attribute<ifaddrmsg>(part, IFA_FLAGS), flags);
    const bool is_usable = (flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)) == 0;
    if (is_usable && address.is_link_local() && interface.link_local.is_unspecified()) {
      interface.link_local = address;
    }
    interface.own.push_back(address);
  });
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
  if (const int code = read_addresses(netlink, found.interface); code != 0) {
    return netlink::fail(code, "read addresses of", name);
  }
  std::sort(found.interface.own.begin(), found.interface.own.end());
  if (found.interface.link_local.is_unspecified()) {
    found.unusable_reason = "it has no usable link-local address yet";
  }
  return found;
}

Result<std::vector<Ipv6Address>> find_neighbors(netlink::Netlink& netlink,
                                                unsigned interface_index) {
  ndmsg header{};
  header.ndm_family = AF_INET6;
  std::vector<Ipv6Address> neighbors;
  const int code = send_request(netlink, RTM_GETNEIGH, NLM_F_DUMP, header, [&](nlmsghdr* part) {
    const auto* facts = static_cast<const ndmsg*>(nlmsg_data(part));
    Ipv6Address address;
    const bool is_known =
        facts->ndm_family == AF_INET6 && facts->ndm_ifindex == static_cast<int>(interface_index) &&
        (facts->ndm_state & kKnownStates) != 0 && (facts->ndm_flags & NTF_PROXY) == 0;
    if (is_known && copy(attribute<ndmsg>(part, NDA_DST), address.bytes))
      neighbors.push_back(address);
  });
  if (code != 0)
    return netlink::fail(code, "read neighbors of", netlink::interface_name(interface_index));
  std::sort(neighbors.begin(), neighbors.end());
  return neighbors;
}

Result<NdpWatch> NdpWatch::open(Kind kind) {
  auto socket = netlink::connect_netlink(NETLINK_ROUTE);
  if (!socket) return Unexpected{socket.error()};
  nl_sock* raw = socket->get();
  const int joined = kind == Kind::links
                         ? nl_socket_add_memberships(raw, RTNLGRP_LINK, RTNLGRP_IPV6_IFADDR, 0)
                         : nl_socket_add_membership(raw, RTNLGRP_NEIGH);
  if (joined < 0 || nl_socket_set_nonblocking(raw) < 0)
    return netlink::fail(EIO, "watch",
                         kind == Kind::links ? "links and IPv6 addresses" : "neighbors");
  return NdpWatch{std::move(*socket)};
}

int NdpWatch::fd() const noexcept { return nl_socket_get_fd(socket_.get()); }

void NdpWatch::drain() noexcept { netlink::drain(socket_.get()); }

}  // namespace culvert::host
