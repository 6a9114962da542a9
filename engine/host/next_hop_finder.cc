#include "engine/host/next_hop_finder.h"

#include <linux/if_arp.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/route/link.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <utility>

#include "io/netlink/netlink_request.h"

namespace culvert::host {
namespace {

using proto::Ipv4Address;

/// States in which the kernel itself sends packets to a neighbor.
constexpr unsigned kUsable =
    NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE | NUD_PROBE | NUD_STALE | NUD_DELAY;

Ipv4Address ipv4_of(nlattr* attribute) {
  Ipv4Address address;
  if (attribute != nullptr && nla_len(attribute) == static_cast<int>(address.bytes.size()))
    std::memcpy(address.bytes.data(), nla_data(attribute), address.bytes.size());
  return address;
}

bool copy_link_layer(const void* bytes, std::size_t count, io::EthernetAddress& to) {
  if (count != to.bytes.size()) return false;
  std::memcpy(to.bytes.data(), bytes, count);
  return true;
}

// ---- the route ----------------------------------------------------------------------------------
struct Route {
  bool is_plain = false;  ///< unicast, no_hop encapsulation and no_hop an IPv6 gateway
  unsigned device_index = 0;
  Ipv4Address neighbor;  ///< gateway, or the remote endpoint itself
};

Result<std::optional<Route>> find_route(netlink::Netlink& netlink, Ipv4Address remote,
                                        std::optional<Ipv4Address> local, unsigned device_index) {
  netlink::RouteRequest wanted{.destination = remote.bytes, .output_index = device_index};
  if (local) wanted.source = local->bytes;
  Route route;
  const int code = netlink::request_route(netlink.socket(), wanted, [&](nlmsghdr* part) {
    const auto* found = static_cast<const rtmsg*>(nlmsg_data(part));
    nlattr* const device = netlink::attribute<rtmsg>(part, RTA_OIF);
    nlattr* const gateway = netlink::attribute<rtmsg>(part, RTA_GATEWAY);
    route.is_plain = found->rtm_type == RTN_UNICAST && device != nullptr &&
                     netlink::attribute<rtmsg>(part, RTA_ENCAP_TYPE) == nullptr &&
                     netlink::attribute<rtmsg>(part, RTA_VIA) == nullptr;
    if (device != nullptr) route.device_index = nla_get_u32(device);
    route.neighbor = gateway != nullptr ? ipv4_of(gateway) : remote;
  });
  if (code == 0) return std::optional{route};
  if (code == ENOMEM || code == EIO)
    return netlink::fail(code, "look up route to", remote.to_text());
  return std::optional<Route>{};
}

// ---- the link -----------------------------------------------------------------------------------

/// The link-layer address of an interface; nullopt: packet sockets cannot send by it, for `reason`.
std::optional<io::EthernetAddress> read_link(netlink::Netlink& netlink, unsigned index,
                                             std::string& reason) {
  rtnl_link* raw = nullptr;
  if (rtnl_link_get_kernel(netlink.socket(), static_cast<int>(index), nullptr, &raw) < 0) {
    reason = netlink::interface_name(index) + " is gone";
    return std::nullopt;
  }
  const std::unique_ptr<rtnl_link, netlink::Free<rtnl_link_put>> link{raw};
  nl_addr* const address = rtnl_link_get_addr(raw);
  io::EthernetAddress result;
  if (rtnl_link_get_arptype(raw) != ARPHRD_ETHER || address == nullptr ||
      !copy_link_layer(nl_addr_get_binary_addr(address), nl_addr_get_len(address), result)) {
    reason = netlink::interface_name(index) + " is not an Ethernet interface";
    return std::nullopt;
  }
  if ((rtnl_link_get_flags(raw) & IFF_UP) == 0) {
    reason = netlink::interface_name(index) + " is down";
    return std::nullopt;
  }
  return result;
}

// ---- the neighbor -------------------------------------------------------------------------------
struct Neighbor {
  unsigned state = NUD_NONE;
  io::EthernetAddress address;
};

netlink::Message neighbor_message(int type, const NeighborKey& key, std::uint8_t flags) {
  ndmsg header{};
  header.ndm_family = AF_INET;
  header.ndm_ifindex = static_cast<int>(key.device_index);
  header.ndm_flags = flags;
  const bool is_new = type == RTM_NEWNEIGH;
  netlink::Message message{
      nlmsg_alloc_simple(type, is_new ? NLM_F_CREATE | NLM_F_REPLACE | NLM_F_ACK : 0)};
  nlmsg_append(message.get(), &header, sizeof header, NLMSG_ALIGNTO);
  nla_put(message.get(), NDA_DST, static_cast<int>(key.address.bytes.size()),
          key.address.bytes.data());
  return message;
}

Neighbor read_neighbor(netlink::Netlink& netlink, const NeighborKey& key) {
  Neighbor neighbor;
  const auto message = neighbor_message(RTM_GETNEIGH, key, 0);
  netlink::request(netlink.socket(), message.get(), [&](nlmsghdr* part) {
    neighbor.state = static_cast<const ndmsg*>(nlmsg_data(part))->ndm_state;
    nlattr* const address = netlink::attribute<ndmsg>(part, NDA_LLADDR);
    const bool is_known =
        address != nullptr &&
        copy_link_layer(nla_data(address), static_cast<std::size_t>(nla_len(address)),
                        neighbor.address);
    if (!is_known) neighbor.state = NUD_NONE;
  });
  return neighbor;
}

/// Makes the kernel resolve or confirm a neighbor, as if it had sent a packet to it.
void use_neighbor(netlink::Netlink& netlink, const NeighborKey& key) {
  const auto message = neighbor_message(RTM_NEWNEIGH, key, NTF_USE);
  netlink::request(netlink.socket(), message.get());
}

}  // namespace

const NextHopFinder::Link& NextHopFinder::find_link(unsigned index) {
  const auto [entry, is_new] = links_.try_emplace(index);
  Link& link = entry->second;
  if (is_new) link.address = read_link(netlink_, index, link.reason);
  return link;
}

std::optional<io::EthernetAddress> NextHopFinder::find_neighbor(const NeighborKey& key) {
  const auto [entry, is_new] = neighbors_.try_emplace(key);
  if (!is_new) return entry->second;
  const Neighbor neighbor = read_neighbor(netlink_, key);
  const bool is_usable = (neighbor.state & kUsable) != 0;
  if (!is_usable || neighbor.state == NUD_STALE) use_neighbor(netlink_, key);
  if (is_usable) entry->second = neighbor.address;
  return entry->second;
}

Result<NextHopFound> NextHopFinder::find(Ipv4Address remote, std::optional<Ipv4Address> local,
                                         unsigned device_index) {
  const Query query{remote, local, device_index};
  const auto known = found_.find(query);
  if (known != found_.end()) return known->second;
  return found_.emplace(query, look_up(query)).first->second;
}

// route > link > neighbor
Result<NextHopFound> NextHopFinder::look_up(const Query& query) {
  const auto& [remote, local, device_index] = query;
  const auto no_hop = [](std::string reason, std::optional<NeighborKey> neighbor = {}) {
    return NextHopFound{.hop = {}, .reason = std::move(reason), .neighbor = neighbor};
  };
  const auto route = find_route(netlink_, remote, local, device_index);
  if (!route) return Unexpected{route.error()};
  if (!*route) return no_hop("there is no route to " + remote.to_text());
  if (!(*route)->is_plain)
    return no_hop("the route to " + remote.to_text() + " is not a plain unicast route");
  const unsigned device = (*route)->device_index;
  const Link& link = find_link(device);
  if (!link.address) return no_hop(link.reason);
  const NeighborKey key{device, (*route)->neighbor};
  const auto neighbor = find_neighbor(key);
  const std::string name = key.address.to_text() + " on " + netlink::interface_name(device);
  if (!neighbor) return no_hop("next hop " + name + " is not resolved", key);
  return NextHopFound{.hop = {.interface_index = device,
                              .kernel_gso = false,
                              .source = *link.address,
                              .destination = *neighbor},
                      .reason = "next hop " + name,
                      .neighbor = key};
}

Result<NeighborWatch> NeighborWatch::open() {
  auto socket = netlink::subscribe(NETLINK_ROUTE, {RTNLGRP_NEIGH}, "neighbors");
  if (!socket) return Unexpected{socket.error()};
  nl_socket_disable_seq_check(socket->get());
  return NeighborWatch{std::move(*socket)};
}

void NeighborWatch::set_interfaces(const std::vector<unsigned>& indexes) {
  constexpr std::uint32_t kFamilyOffset = NLMSG_HDRLEN + offsetof(ndmsg, ndm_family);
  constexpr std::uint32_t kIndexOffset = NLMSG_HDRLEN + offsetof(ndmsg, ndm_ifindex);
  netlink::filter_interfaces(
      socket_.get(),
      {BPF_STMT(BPF_LD | BPF_B | BPF_ABS, kFamilyOffset),
       BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_INET, 1, 0), BPF_STMT(BPF_RET | BPF_K, 0),
       BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kIndexOffset)},
      indexes);
}

int NeighborWatch::fd() const noexcept { return nl_socket_get_fd(socket_.get()); }

std::optional<std::vector<NeighborKey>> NeighborWatch::changed() {
  std::vector<NeighborKey> keys;
  nl_socket_modify_cb(
      socket_.get(), NL_CB_VALID, NL_CB_CUSTOM,
      [](nl_msg* part, void* to) noexcept -> int {
        const auto* header = static_cast<const ndmsg*>(nlmsg_data(nlmsg_hdr(part)));
        nlattr* const address = netlink::attribute<ndmsg>(nlmsg_hdr(part), NDA_DST);
        if (header->ndm_family == AF_INET && address != nullptr)
          static_cast<std::vector<NeighborKey>*>(to)->push_back(
              {static_cast<unsigned>(header->ndm_ifindex), ipv4_of(address)});
        return NL_OK;
      },
      &keys);
  // Bounded: the rest is read by the next call. If the socket's buffer overflows, the kernel queues
  // no more events until all have been read, and reports the loss only once.
  for (int count = 0; count < 64; ++count) {
    const int result = nl_recvmsgs_default(socket_.get());
    if (result == -NLE_AGAIN) {
      if (std::exchange(has_lost_events_, false)) return std::nullopt;
      return keys;
    }
    if (result < 0) has_lost_events_ = true;
  }
  if (has_lost_events_) return std::nullopt;
  return keys;
}

}  // namespace culvert::host
