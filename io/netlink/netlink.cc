#include "io/netlink/netlink.h"

#include <net/if.h>
#include <netlink/netlink.h>
#include <netlink/route/link.h>
#include <netlink/route/link/inet6.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/route.h>

#include <array>
#include <cerrno>
#include <functional>
#include <type_traits>
#include <utility>

#include "io/netlink/netlink_request.h"
#include "io/netlink/route_filter.h"

namespace culvert::netlink {
namespace {

using Link = std::unique_ptr<rtnl_link, Free<rtnl_link_put>>;
using Route = std::unique_ptr<rtnl_route, Free<rtnl_route_put>>;

proto::Ipv4Address to_ipv4(nl_addr* address) {
  proto::Ipv4Address result;
  if (address == nullptr || nl_addr_get_len(address) != result.bytes.size()) return result;
  const auto* bytes = static_cast<const std::byte*>(nl_addr_get_binary_addr(address));
  std::copy_n(bytes, result.bytes.size(), result.bytes.begin());
  return result;
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
              advice.empty() ? advise_device(code, false, interface_name(index)) : advice);
}

/// Requests the route to one address and calls `found` with it. `device_index` 0: by any interface.
/// Returns 0 or an errno; ENETUNREACH and the like mean that there is no route.
template <class Address>
int request_route(nl_sock* socket, const Address& address, unsigned device_index, unsigned flags,
                  const std::function<void(rtnl_route*)>& found) {
  const RouteRequest wanted{
      .destination = address.bytes, .output_index = device_index, .flags = flags};
  return request_route(socket, wanted, [&](nlmsghdr* part) {
    rtnl_route* raw = nullptr;
    if (rtnl_route_parse(part, &raw) < 0) return;
    const Route route{raw};
    found(raw);
  });
}

/// Errors by which the kernel says that there is no route, or none that packets may take.
bool is_no_route(int code) {
  switch (code) {
    case ENETUNREACH:
    case EHOSTUNREACH:
    case EACCES:  // a prohibit route
    case EINVAL:  // a blackhole route, or an address to which no packet can be sent
    case ENODEV:
      return true;
    default:
      return false;
  }
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

Result<std::optional<RouteFound>> Netlink::route_to(proto::Ipv4Address address,
                                                    unsigned device_index) {
  RouteFound found;
  // Without RTM_F_FIB_MATCH the answer has the source. With it the answer has the prefix length and
  // the gateway. So there are two requests.
  int code = request_route(socket_.get(), address, device_index, 0, [&](rtnl_route* route) {
    found.is_local = rtnl_route_get_type(route) == RTN_LOCAL;
    found.source = to_ipv4(rtnl_route_get_pref_src(route));
    if (rtnl_nexthop* hop = rtnl_route_nexthop_n(route, 0)) {
      found.device_index = static_cast<unsigned>(rtnl_route_nh_get_ifindex(hop));
    }
  });
  if (code == 0) {
    const auto read_match = [&](rtnl_route* route) {
      found.length_bits =
          static_cast<std::uint8_t>(nl_addr_get_prefixlen(rtnl_route_get_dst(route)));
      rtnl_nexthop* hop = rtnl_route_nexthop_n(route, 0);
      nl_addr* gateway = hop == nullptr ? nullptr : rtnl_route_nh_get_gateway(hop);
      if (gateway != nullptr) found.gateway = to_ipv4(gateway);
    };
    code = request_route(socket_.get(), address, device_index, RTM_F_FIB_MATCH, read_match);
  }
  if (code == 0) return std::optional{found};
  if (is_no_route(code)) return std::optional<RouteFound>{};
  return fail(code, "look up route to", address.to_text());
}

Result<bool> Netlink::is_local(unsigned device_index, const proto::Ipv6Address& address) {
  bool is_local = false;
  const int code = request_route(socket_.get(), address, device_index, 0, [&](rtnl_route* route) {
    is_local = rtnl_route_get_type(route) == RTN_LOCAL;
  });
  if (code == 0) return is_local;
  if (is_no_route(code)) return false;
  return fail(code, "look up route to", address.to_text());
}

Result<NetlinkWatch> NetlinkWatch::open() {
  auto socket = subscribe(
      NETLINK_ROUTE, {RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_IFADDR},
      "links, addresses and routes");
  if (!socket) return Unexpected{socket.error()};
  return NetlinkWatch{std::move(*socket)};
}

void NetlinkWatch::set_destinations(std::span<const proto::Ipv4Address> addresses) {
  RouteInterests interests;
  for (const proto::Ipv4Address& address : addresses)
    interests.prefixes4.push_back({.address = address, .length_bits = 32});
  filter_routes(socket_.get(), AF_INET, interests);
}

int NetlinkWatch::fd() const noexcept { return nl_socket_get_fd(socket_.get()); }

// The contents of the messages do not matter, and neither do lost messages: the caller reads the
// present state.
void NetlinkWatch::drain() noexcept { netlink::drain(socket_.get()); }

}  // namespace culvert::netlink
