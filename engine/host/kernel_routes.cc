#include "engine/host/kernel_routes.h"

#include <linux/rtnetlink.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <utility>
#include <vector>

#include "io/netlink/netlink_request.h"
#include "io/sort_unique.h"

namespace culvert::host {
namespace {

using netlink::attribute;
using netlink::copy;
using proto::Ipv6Address;
using proto::Ipv6Prefix;

/// Calls `each` with the interface and the gateway (null: the destination is on-link) of every next
/// hop of a route.
void for_each_hop(nlmsghdr* message, const std::function<void(unsigned, nlattr*)>& each) {
  std::uint32_t index = 0;
  if (copy(attribute<rtmsg>(message, RTA_OIF), index))
    each(index, attribute<rtmsg>(message, RTA_GATEWAY));
  nlattr* const several = attribute<rtmsg>(message, RTA_MULTIPATH);
  if (several == nullptr) return;
  auto* hop = static_cast<rtnexthop*>(nla_data(several));
  int rest = nla_len(several);
  for (; RTNH_OK(hop, rest); rest -= RTNH_ALIGN(hop->rtnh_len), hop = RTNH_NEXT(hop)) {
    auto* const attributes = reinterpret_cast<nlattr*>(RTNH_DATA(hop));
    each(static_cast<unsigned>(hop->rtnh_ifindex),
         nla_find(attributes, static_cast<int>(hop->rtnh_len - RTNH_LENGTH(0)), RTA_GATEWAY));
  }
}

NdpRoute to_ndp_route(nlmsghdr* message, unsigned asking_index) {
  const auto* facts = static_cast<const rtmsg*>(nlmsg_data(message));
  NdpRoute route{.length_bits = facts->rtm_dst_len};
  if (facts->rtm_type == RTN_LOCAL || facts->rtm_type == RTN_ANYCAST)
    route.kind = NdpRoute::Kind::local;
  if (facts->rtm_type == RTN_UNICAST) route.kind = NdpRoute::Kind::unicast;
  for_each_hop(message, [&](unsigned index, nlattr* gateway) {
    if (route.interface_index != 0 && route.interface_index != asking_index) return;
    route.interface_index = index;
    route.has_gateway = gateway != nullptr;
  });
  return route;
}

bool overlaps_with_automatic(const Ipv6Prefix& prefix, std::span<const NdpRule> rules) {
  return std::any_of(rules.begin(), rules.end(), [&](const NdpRule& rule) {
    return rule.answer == NdpAnswer::automatic &&
           (rule.prefix.contains(prefix.address) || prefix.contains(rule.prefix.address));
  });
}

/// Adds what one route says.
void add_route(nlmsghdr* message, unsigned asking_index, const std::set<unsigned>& devices,
               std::span<const NdpRule> rules, NdpKernelRoutes& found) {
  const auto* facts = static_cast<const rtmsg*>(nlmsg_data(message));
  if (facts->rtm_family != AF_INET6 || facts->rtm_type != RTN_UNICAST ||
      (facts->rtm_flags & RTM_F_CLONED) != 0)
    return;
  Ipv6Prefix prefix{.address = {}, .length_bits = facts->rtm_dst_len};
  copy(attribute<rtmsg>(message, RTA_DST), prefix.address.bytes);
  bool leads_elsewhere = false;
  for_each_hop(message, [&](unsigned index, nlattr* via) {
    Ipv6Address gateway;
    if (index != asking_index)
      leads_elsewhere |= !devices.contains(index);
    else if (copy(via, gateway.bytes))
      found.gateways.push_back(gateway);
  });
  const bool is_special = prefix.address.is_link_local() || prefix.address.is_multicast();
  if (leads_elsewhere && prefix.length_bits != 0 && !is_special &&
      overlaps_with_automatic(prefix, rules))
    found.prefixes.push_back(prefix);
}

struct HostRoute {
  Ipv6Address target{};
  unsigned interface_index = 0;
  std::uint32_t metric = 0;
};

/// Adds or removes a host route of ours. `lifetime`: 0 where it is removed. Returns 0 or an errno.
int change_host_route(nl_sock* socket, int type, int flags, const HostRoute& route,
                      std::chrono::seconds lifetime) {
  const netlink::Message message{nlmsg_alloc_simple(type, flags)};
  if (!message) return ENOMEM;
  rtmsg header{};
  header.rtm_family = AF_INET6;
  header.rtm_dst_len = 128;
  header.rtm_table = RT_TABLE_MAIN;
  header.rtm_protocol = kHostRouteProtocol;
  header.rtm_scope = RT_SCOPE_UNIVERSE;
  header.rtm_type = RTN_UNICAST;
  nlmsg_append(message.get(), &header, sizeof header, NLMSG_ALIGNTO);
  nla_put(message.get(), RTA_DST, sizeof route.target.bytes, route.target.bytes.data());
  nla_put_u32(message.get(), RTA_OIF, route.interface_index);
  nla_put_u32(message.get(), RTA_PRIORITY, route.metric);
  if (lifetime.count() != 0)
    nla_put_u32(message.get(), RTA_EXPIRES, static_cast<std::uint32_t>(lifetime.count()));
  return netlink::request(socket, message.get());
}

}  // namespace

Result<std::unique_ptr<KernelRoutes>> KernelRoutes::open(std::shared_ptr<HostRouteClaim> claim) {
  auto socket = netlink::connect_netlink(NETLINK_ROUTE);
  if (!socket) return Unexpected{socket.error()};
  return std::unique_ptr<KernelRoutes>{new KernelRoutes{std::move(*socket), std::move(claim)}};
}

NdpRoute KernelRoutes::find(const Ipv6Address& target, unsigned asking_index) noexcept {
  NdpRoute route;
  // With RTM_F_FIB_MATCH it is the route itself, with the length of its prefix.
  netlink::request_route(
      socket_.get(),
      {.destination = target.bytes, .input_index = asking_index, .flags = RTM_F_FIB_MATCH},
      [&](nlmsghdr* part) { route = to_ndp_route(part, asking_index); });
  return route;
}

bool KernelRoutes::add_host_route(const Ipv6Address& target, unsigned interface_index,
                                  std::chrono::seconds lifetime, bool is_new) noexcept {
  claim_host_routes();
  if (metric_ == 0) return false;
  // Without NLM_F_EXCL the kernel sets the lifetime of the route that is there anew.
  const int flags = NLM_F_CREATE | (is_new ? NLM_F_EXCL : 0);
  const int code = change_host_route(socket_.get(), RTM_NEWROUTE, flags,
                                     {target, interface_index, metric_}, lifetime);
  if (code == 0 || (code == EEXIST && !is_new)) return true;
  if (code != EEXIST) return false;
  const NdpRoute found = find(target, 0);
  return found.kind == NdpRoute::Kind::unicast && found.length_bits == 128 &&
         found.interface_index == interface_index;
}

void KernelRoutes::remove_host_route(const Ipv6Address& target, unsigned interface_index) noexcept {
  // It may be gone already, perhaps with its interface.
  change_host_route(socket_.get(), RTM_DELROUTE, 0, {target, interface_index, metric_}, {});
}

std::size_t KernelRoutes::claim_host_routes() noexcept {
  std::size_t removed = 0;
  if (metric_ == 0)
    metric_ = claim_->claim([&](std::uint32_t metric) { removed = remove_left_routes(metric); });
  return removed;
}

std::size_t KernelRoutes::remove_left_routes(std::uint32_t metric) noexcept {
  std::vector<HostRoute> left;
  rtmsg header{};
  header.rtm_family = AF_INET6;
  // On failure, or if some are missed, the kernel removes them when their lifetime ends.
  netlink::dump_objects(socket_.get(), RTM_GETROUTE, header, left, [&](nlmsghdr* part) {
    const auto* facts = static_cast<const rtmsg*>(nlmsg_data(part));
    HostRoute route;
    const bool is_left = facts->rtm_protocol == kHostRouteProtocol && facts->rtm_dst_len == 128 &&
                         copy(attribute<rtmsg>(part, RTA_DST), route.target.bytes) &&
                         copy(attribute<rtmsg>(part, RTA_OIF), route.interface_index) &&
                         copy(attribute<rtmsg>(part, RTA_PRIORITY), route.metric) &&
                         route.metric == metric;
    if (is_left) left.push_back(route);
  });
  for (const HostRoute& route : left) change_host_route(socket_.get(), RTM_DELROUTE, 0, route, {});
  return left.size();
}

Result<RouteChanges> RouteChanges::open() {
  auto socket = netlink::subscribe(NETLINK_ROUTE, {RTNLGRP_IPV6_ROUTE}, "IPv6 routes");
  if (!socket) return Unexpected{socket.error()};
  return RouteChanges{std::move(*socket)};
}

bool RouteChanges::any() const noexcept { return netlink::has_events(socket_.get()); }

NdpKernelRoutes read_kernel_route(nlmsghdr* message, unsigned asking_index,
                                  const std::set<unsigned>& devices,
                                  std::span<const NdpRule> rules) {
  NdpKernelRoutes found;
  add_route(message, asking_index, devices, rules, found);
  return found;
}

Result<KernelRoutesFound> find_kernel_routes(netlink::Netlink& netlink, unsigned asking_index,
                                             const std::set<unsigned>& devices,
                                             std::span<const NdpRule> rules) {
  // The kernel does not mark a list of routes from which some are missing because others changed
  // meanwhile. So each change counts.
  const auto changes = RouteChanges::open();
  if (!changes) return Unexpected{changes.error()};
  NdpKernelRoutes found;
  rtmsg header{};
  header.rtm_family = AF_INET6;
  const int code = netlink::dump_objects(
      netlink.socket(), RTM_GETROUTE, header, found,
      [&](nlmsghdr* part) { add_route(part, asking_index, devices, rules, found); });
  if (code != 0 && code != EINTR) return netlink::fail(code, "read", "IPv6 routes");
  io::sort_unique(found.prefixes);
  io::sort_unique(found.gateways);
  const bool is_complete = code == 0 && !changes->any();
  return KernelRoutesFound{.routes = std::move(found), .is_complete = is_complete};
}

}  // namespace culvert::host
