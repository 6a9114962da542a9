#include "engine/control/netlink.h"

#include <net/if.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/link/inet6.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/route.h>

#include <array>
#include <cerrno>
#include <functional>
#include <utility>

#include "engine/control/netlink_request.h"

namespace culvert::control {
namespace {

using Link = std::unique_ptr<rtnl_link, Free<rtnl_link_put>>;
using Address = std::unique_ptr<rtnl_addr, Free<rtnl_addr_put>>;
using Route = std::unique_ptr<rtnl_route, Free<rtnl_route_put>>;
using NlAddress = std::unique_ptr<nl_addr, Free<nl_addr_put>>;

/// libnl has one number of its own for several errnos; those that can happen before a request is
/// sent are these.
int to_errno(int nl_error) { return nl_error == -NLE_NOMEM ? ENOMEM : EIO; }

constexpr int family(const proto::Ipv4Address&) { return AF_INET; }
constexpr int family(const proto::Ipv6Address&) { return AF_INET6; }

template <class A>
NlAddress to_nl(const A& address, int length_bits) {
  NlAddress result{nl_addr_build(family(address), address.bytes.data(), address.bytes.size())};
  nl_addr_set_prefixlen(result.get(), length_bits);
  return result;
}

proto::Ipv4Address to_ipv4(nl_addr* address) {
  proto::Ipv4Address result;
  if (address == nullptr || nl_addr_get_len(address) != result.bytes.size()) return result;
  const auto* bytes = static_cast<const std::byte*>(nl_addr_get_binary_addr(address));
  std::copy_n(bytes, result.bytes.size(), result.bytes.begin());
  return result;
}

/// What to do about the errnos that adding something to a device can meet.
std::string advise(int code, bool is_ipv6, const std::string& device) {
  switch (code) {
    case EPERM:
      return "needs CAP_NET_ADMIN";
    case EACCES:
    case EOPNOTSUPP:
    case EAFNOSUPPORT:
      return is_ipv6 ? "IPv6 is switched off for this device: sysctl -w net.ipv6.conf." + device +
                           ".disable_ipv6=0, or net.ipv6.conf.default.disable_ipv6=0 before start"
                     : "";
    case EEXIST:
      return "the device has it already";
    case ENODEV:
      return "the device is gone";
    default:
      return "";
  }
}

Result<void> change_link(nl_sock* socket, unsigned index, rtnl_link* changes, std::string operation,
                         const std::string& advice = {}) {
  const Link original{rtnl_link_alloc()};
  rtnl_link_set_ifindex(original.get(), static_cast<int>(index));
  nl_msg* raw = nullptr;
  if (const int error = rtnl_link_build_change_request(original.get(), changes, 0, &raw);
      error < 0) {
    return fail(to_errno(error), std::move(operation), interface_name(index));
  }
  const Message message{raw};
  const int code = request(socket, message.get());
  if (code == 0) return {};
  return fail(code, std::move(operation), interface_name(index),
              advice.empty() ? advise(code, false, interface_name(index)) : advice);
}

template <class Prefix>
Result<void> add_one_address(nl_sock* socket, unsigned index, const Prefix& prefix) {
  constexpr bool is_ipv6 = std::is_same_v<Prefix, proto::Ipv6Prefix>;
  const Address address{rtnl_addr_alloc()};
  rtnl_addr_set_ifindex(address.get(), static_cast<int>(index));
  rtnl_addr_set_local(address.get(), to_nl(prefix.address, prefix.length_bits).get());
  if constexpr (is_ipv6) {
    rtnl_addr_set_flags(address.get(), IFA_F_NODAD);
    if (prefix.address.is_link_local()) rtnl_addr_set_scope(address.get(), RT_SCOPE_LINK);
  }
  nl_msg* raw = nullptr;
  const std::string name = interface_name(index);
  const std::string object = prefix.to_text() + " to " + name;
  if (const int error = rtnl_addr_build_add_request(address.get(), NLM_F_CREATE | NLM_F_EXCL, &raw);
      error < 0) {
    return fail(to_errno(error), "add address", object);
  }
  const Message message{raw};
  const int code = request(socket, message.get());
  if (code == 0) return {};
  return fail(code, "add address", object, advise(code, is_ipv6, name));
}

/// Where a route to exactly this prefix leads that is there already.
template <class Prefix>
std::string describe_existing(nl_sock* socket, const Prefix& prefix) {
  const NlAddress wanted = to_nl(prefix.address, prefix.length_bits);
  rtmsg header{};
  header.rtm_family = static_cast<unsigned char>(family(prefix.address));
  const Message message{nlmsg_alloc_simple(RTM_GETROUTE, NLM_F_DUMP)};
  nlmsg_append(message.get(), &header, sizeof header, NLMSG_ALIGNTO);
  std::string found;
  request(socket, message.get(), [&](nlmsghdr* part) {
    rtnl_route* raw = nullptr;
    if (!found.empty() || rtnl_route_parse(part, &raw) < 0) return;
    const Route route{raw};
    if (rtnl_route_get_table(raw) != RT_TABLE_MAIN) return;
    if (nl_addr_cmp_prefix(rtnl_route_get_dst(raw), wanted.get()) != 0) return;
    if (nl_addr_get_prefixlen(rtnl_route_get_dst(raw)) != prefix.length_bits) return;
    rtnl_nexthop* hop = rtnl_route_nexthop_n(raw, 0);
    if (hop == nullptr) return;
    found = interface_name(static_cast<unsigned>(rtnl_route_nh_get_ifindex(hop)));
  });
  return found;
}

template <class Prefix>
Result<void> add_one_route(nl_sock* socket, unsigned index, const Prefix& prefix) {
  constexpr bool is_ipv6 = std::is_same_v<Prefix, proto::Ipv6Prefix>;
  const Route route{rtnl_route_alloc()};
  rtnl_route_set_family(route.get(), static_cast<std::uint8_t>(family(prefix.address)));
  rtnl_route_set_table(route.get(), RT_TABLE_MAIN);
  rtnl_route_set_protocol(route.get(), RTPROT_STATIC);
  rtnl_route_set_scope(route.get(), is_ipv6 ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK);
  rtnl_route_set_type(route.get(), RTN_UNICAST);
  rtnl_route_set_dst(route.get(), to_nl(prefix.address, prefix.length_bits).get());
  rtnl_nexthop* hop = rtnl_route_nh_alloc();
  rtnl_route_nh_set_ifindex(hop, static_cast<int>(index));
  rtnl_route_add_nexthop(route.get(), hop);  // and it owns it now
  nl_msg* raw = nullptr;
  const std::string object = prefix.to_text() + " by " + interface_name(index);
  if (const int error = rtnl_route_build_add_request(route.get(), NLM_F_CREATE | NLM_F_EXCL, &raw);
      error < 0) {
    return fail(to_errno(error), "add route", object);
  }
  const Message message{raw};
  const int code = request(socket, message.get());
  if (code == 0) return {};
  if (code != EEXIST) {
    return fail(code, "add route", object, advise(code, is_ipv6, interface_name(index)));
  }
  const std::string existing = describe_existing(socket, prefix);
  const std::string ip = is_ipv6 ? "ip -6 route" : "ip route";
  return fail(code, "add route", object,
              "there is a route to " + prefix.to_text() +
                  (existing.empty() ? "" : " by " + existing) + " already: remove it (`" + ip +
                  " del " + prefix.to_text() + (existing.empty() ? "" : " dev " + existing) +
                  "`) or give more specific prefixes");
}

/// Asks for the route to one address. ENETUNREACH and the like: there is none.
int look_up(nl_sock* socket, proto::Ipv4Address address, unsigned device_index, unsigned flags,
            const std::function<void(rtnl_route*)>& found) {
  rtmsg header{};
  header.rtm_family = AF_INET;
  header.rtm_dst_len = 32;
  header.rtm_flags = flags;
  const Message message{nlmsg_alloc_simple(RTM_GETROUTE, 0)};
  nlmsg_append(message.get(), &header, sizeof header, NLMSG_ALIGNTO);
  nla_put(message.get(), RTA_DST, static_cast<int>(address.bytes.size()), address.bytes.data());
  if (device_index != 0) nla_put_u32(message.get(), RTA_OIF, device_index);
  return request(socket, message.get(), [&](nlmsghdr* part) {
    rtnl_route* raw = nullptr;
    if (rtnl_route_parse(part, &raw) < 0) return;
    const Route route{raw};
    found(raw);
  });
}

}  // namespace

std::string interface_name(unsigned index) {
  std::array<char, IF_NAMESIZE> name{};
  if (::if_indextoname(index, name.data()) == nullptr) return "interface " + std::to_string(index);
  return name.data();
}

Result<Netlink> Netlink::open() {
  auto socket = connect_netlink(NETLINK_ROUTE);
  if (!socket) return Unexpected{socket.error()};
  return Netlink{std::move(*socket)};
}

Result<void> Netlink::disable_address_generation(unsigned device_index) {
  const Link changes{rtnl_link_alloc()};
  constexpr std::uint8_t kNone = 1;  // IN6_ADDR_GEN_MODE_NONE of <linux/if_link.h>
  if (rtnl_link_inet6_set_addr_gen_mode(changes.get(), kNone) < 0) {
    return fail(ENOMEM, "set up", interface_name(device_index));
  }
  return change_link(socket_.get(), device_index, changes.get(), "set up");
}

Result<void> Netlink::set_mtu(unsigned device_index, std::uint16_t mtu_bytes) {
  const Link changes{rtnl_link_alloc()};
  rtnl_link_set_mtu(changes.get(), mtu_bytes);
  return change_link(socket_.get(), device_index, changes.get(),
                     "set MTU " + std::to_string(mtu_bytes) + " of");
}

Result<void> Netlink::set_up(unsigned device_index) {
  const Link changes{rtnl_link_alloc()};
  rtnl_link_set_flags(changes.get(), IFF_UP);
  return change_link(socket_.get(), device_index, changes.get(), "bring up");
}

Result<std::uint16_t> Netlink::mtu(unsigned device_index) {
  rtnl_link* raw = nullptr;
  if (rtnl_link_get_kernel(socket_.get(), static_cast<int>(device_index), nullptr, &raw) < 0) {
    return fail(ENODEV, "read MTU of", interface_name(device_index), "the device is gone");
  }
  const Link link{raw};
  return static_cast<std::uint16_t>(std::min(rtnl_link_get_mtu(raw), 65'535u));
}

Result<void> Netlink::add_address(unsigned device_index, const proto::Ipv6Prefix& address) {
  return add_one_address(socket_.get(), device_index, address);
}

Result<void> Netlink::add_address(unsigned device_index, const proto::Ipv4Prefix& address) {
  return add_one_address(socket_.get(), device_index, address);
}

Result<void> Netlink::add_route(unsigned device_index, const proto::Ipv6Prefix& route) {
  return add_one_route(socket_.get(), device_index, route);
}

Result<void> Netlink::add_route(unsigned device_index, const proto::Ipv4Prefix& route) {
  return add_one_route(socket_.get(), device_index, route);
}

Result<std::optional<RouteFound>> Netlink::route_to(proto::Ipv4Address address,
                                                    unsigned device_index) {
  RouteFound found;
  // Without RTM_F_FIB_MATCH the answer has the source, with it the prefix length and the gateway.
  int code = look_up(socket_.get(), address, device_index, 0, [&](rtnl_route* route) {
    found.is_local = rtnl_route_get_type(route) == RTN_LOCAL;
    found.source = to_ipv4(rtnl_route_get_pref_src(route));
    if (rtnl_nexthop* hop = rtnl_route_nexthop_n(route, 0)) {
      found.device_index = static_cast<unsigned>(rtnl_route_nh_get_ifindex(hop));
    }
  });
  if (code == 0) {
    code = look_up(socket_.get(), address, device_index, RTM_F_FIB_MATCH, [&](rtnl_route* route) {
      found.length_bits =
          static_cast<std::uint8_t>(nl_addr_get_prefixlen(rtnl_route_get_dst(route)));
      rtnl_nexthop* hop = rtnl_route_nexthop_n(route, 0);
      nl_addr* gateway = hop == nullptr ? nullptr : rtnl_route_nh_get_gateway(hop);
      if (gateway != nullptr) found.gateway = to_ipv4(gateway);
    });
  }
  switch (code) {
    case 0:
      return std::optional{found};
    case ENETUNREACH:
    case EHOSTUNREACH:
    case EACCES:  // a prohibit route
    case EINVAL:  // a blackhole route, or an address that no packet can be sent to
    case ENODEV:
      return std::optional<RouteFound>{};
    default:
      return fail(code, "look up route to", address.to_text());
  }
}

Result<NetlinkWatch> NetlinkWatch::open() {
  auto socket = connect_netlink(NETLINK_ROUTE);
  if (!socket) return Unexpected{socket.error()};
  nl_sock* raw = socket->get();
  if (nl_socket_add_memberships(raw, RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV4_ROUTE, 0) <
          0 ||
      nl_socket_set_nonblocking(raw) < 0) {
    return fail(EIO, "watch", "links, addresses and routes");
  }
  return NetlinkWatch{std::move(*socket)};
}

int NetlinkWatch::fd() const noexcept { return nl_socket_get_fd(socket_.get()); }

// What the messages say does not matter, nor that some were lost: the next reader asks for the
// present state.
void NetlinkWatch::drain() noexcept { control::drain(socket_.get()); }

}  // namespace culvert::control
