// Netlink's requests about the addresses of a device and the routes by it.
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/route.h>

#include <cerrno>
#include <utility>

#include "io/netlink/netlink.h"
#include "io/netlink/netlink_request.h"

namespace culvert::netlink {
namespace {

using Address = std::unique_ptr<rtnl_addr, Free<rtnl_addr_put>>;
using Route = std::unique_ptr<rtnl_route, Free<rtnl_route_put>>;
using NlAddress = std::unique_ptr<nl_addr, Free<nl_addr_put>>;

constexpr int family(const proto::Ipv4Address&) { return AF_INET; }
constexpr int family(const proto::Ipv6Address&) { return AF_INET6; }

template <class A>
NlAddress to_nl(const A& address, int length_bits) {
  NlAddress result{nl_addr_build(family(address), address.bytes.data(), address.bytes.size())};
  nl_addr_set_prefixlen(result.get(), length_bits);
  return result;
}

template <class Prefix>
Address make_address(unsigned index, const Prefix& prefix) {
  constexpr bool is_ipv6 = std::is_same_v<Prefix, proto::Ipv6Prefix>;
  Address address{rtnl_addr_alloc()};
  rtnl_addr_set_ifindex(address.get(), static_cast<int>(index));
  rtnl_addr_set_local(address.get(), to_nl(prefix.address, prefix.length_bits).get());
  if constexpr (is_ipv6) {
    rtnl_addr_set_flags(address.get(), IFA_F_NODAD);
    if (prefix.address.is_link_local()) rtnl_addr_set_scope(address.get(), RT_SCOPE_LINK);
  }
  return address;
}

template <class Prefix>
Result<void> add_one_address(nl_sock* socket, unsigned index, const Prefix& prefix) {
  constexpr bool is_ipv6 = std::is_same_v<Prefix, proto::Ipv6Prefix>;
  const Address address = make_address(index, prefix);
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
  return fail(code, "add address", object, advise_device(code, is_ipv6, name));
}

/// The interface of the main table's route to exactly this prefix; empty: there is none, or it was
/// not found while other routes changed. It is only for advice.
template <class Prefix>
std::string find_existing_interface(nl_sock* socket, const Prefix& prefix) {
  const NlAddress wanted = to_nl(prefix.address, prefix.length_bits);
  rtmsg header{};
  header.rtm_family = static_cast<unsigned char>(family(prefix.address));
  std::string found;
  dump_objects(socket, RTM_GETROUTE, header, found, [&](nlmsghdr* part) {
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
Route make_route(unsigned index, const Prefix& prefix) {
  constexpr bool is_ipv6 = std::is_same_v<Prefix, proto::Ipv6Prefix>;
  Route route{rtnl_route_alloc()};
  rtnl_route_set_family(route.get(), static_cast<std::uint8_t>(family(prefix.address)));
  rtnl_route_set_table(route.get(), RT_TABLE_MAIN);
  rtnl_route_set_protocol(route.get(), RTPROT_STATIC);
  rtnl_route_set_scope(route.get(), is_ipv6 ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK);
  rtnl_route_set_type(route.get(), RTN_UNICAST);
  rtnl_route_set_dst(route.get(), to_nl(prefix.address, prefix.length_bits).get());
  rtnl_nexthop* hop = rtnl_route_nh_alloc();
  rtnl_route_nh_set_ifindex(hop, static_cast<int>(index));
  rtnl_route_add_nexthop(route.get(), hop);  // the route owns the next hop now
  return route;
}

template <class Prefix>
Result<void> add_one_route(nl_sock* socket, unsigned index, const Prefix& prefix) {
  constexpr bool is_ipv6 = std::is_same_v<Prefix, proto::Ipv6Prefix>;
  const Route route = make_route(index, prefix);
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
    return fail(code, "add route", object, advise_device(code, is_ipv6, interface_name(index)));
  }
  const std::string existing = find_existing_interface(socket, prefix);
  const std::string ip = is_ipv6 ? "ip -6 route" : "ip route";
  return fail(code, "add route", object,
              "there is a route to " + prefix.to_text() +
                  (existing.empty() ? "" : " by " + existing) + " already: remove it (`" + ip +
                  " del " + prefix.to_text() + (existing.empty() ? "" : " dev " + existing) +
                  "`) or use more specific prefixes");
}

template <class Prefix>
Route make_unreachable_route(const Prefix& prefix) {
  Route route{rtnl_route_alloc()};
  rtnl_route_set_family(route.get(), static_cast<std::uint8_t>(family(prefix.address)));
  rtnl_route_set_table(route.get(), RT_TABLE_MAIN);
  rtnl_route_set_protocol(route.get(), RTPROT_STATIC);
  rtnl_route_set_scope(route.get(), RT_SCOPE_UNIVERSE);
  rtnl_route_set_type(route.get(), RTN_UNREACHABLE);
  rtnl_route_set_priority(route.get(), kUnreachableMetric);
  rtnl_route_set_dst(route.get(), to_nl(prefix.address, prefix.length_bits).get());
  return route;
}

template <class Prefix>
Result<void> add_one_unreachable_route(nl_sock* socket, const Prefix& prefix) {
  const Route route = make_unreachable_route(prefix);
  nl_msg* raw = nullptr;
  if (const int error = rtnl_route_build_add_request(route.get(), NLM_F_CREATE | NLM_F_EXCL, &raw);
      error < 0) {
    return fail(to_errno(error), "add unreachable route", prefix.to_text());
  }
  const Message message{raw};
  const int code = request(socket, message.get());
  if (code == 0 || code == EEXIST) return {};
  return fail(code, "add unreachable route", prefix.to_text(), advise_device(code, false, ""));
}

template <class Prefix>
Result<void> add_one_network_route(nl_sock* socket, unsigned index, const Prefix& address) {
  constexpr bool is_ipv6 = std::is_same_v<Prefix, proto::Ipv6Prefix>;
  constexpr std::uint32_t kIpv6Metric = 256;  // IP6_RT_PRIO_ADDRCONF
  const Prefix network = address.network();
  const Route route = make_route(index, network);
  rtnl_route_set_protocol(route.get(), RTPROT_KERNEL);
  if constexpr (is_ipv6) {
    rtnl_route_set_priority(route.get(), kIpv6Metric);
  } else {
    rtnl_route_set_pref_src(route.get(), to_nl(address.address, 32).get());
  }
  const std::string object = network.to_text() + " by " + interface_name(index);
  nl_msg* raw = nullptr;
  // Appended, as the kernel does: other devices may have routes to the same network.
  constexpr int kFlags = NLM_F_CREATE | NLM_F_APPEND;
  if (const int error = rtnl_route_build_add_request(route.get(), kFlags, &raw); error < 0) {
    return fail(to_errno(error), "add route", object);
  }
  const Message message{raw};
  const int code = request(socket, message.get());
  if (code == 0 || code == EEXIST) return {};
  return fail(code, "add route", object, advise_device(code, is_ipv6, interface_name(index)));
}

/// Sends a request to remove an address or a route. It may have been removed already, perhaps with
/// its device: that is a success. `built`: the result of libnl's builder of `raw`.
Result<void> remove(nl_sock* socket, int built, nl_msg* raw, std::string operation,
                    std::string object) {
  if (built < 0) return fail(to_errno(built), std::move(operation), std::move(object));
  const Message message{raw};
  const int code = request(socket, message.get());
  if (code == 0 || code == EADDRNOTAVAIL || code == ESRCH || code == ENODEV) return {};
  return fail(code, std::move(operation), std::move(object));
}

template <class Prefix>
Result<void> remove_one_address(nl_sock* socket, unsigned index, const Prefix& prefix) {
  const Address address = make_address(index, prefix);
  nl_msg* raw = nullptr;
  const int built = rtnl_addr_build_delete_request(address.get(), 0, &raw);
  return remove(socket, built, raw, "remove address",
                prefix.to_text() + " from " + interface_name(index));
}

template <class Prefix>
Result<void> remove_one_route(nl_sock* socket, unsigned index, const Prefix& prefix) {
  const Route route = make_route(index, prefix);
  nl_msg* raw = nullptr;
  const int built = rtnl_route_build_del_request(route.get(), 0, &raw);
  return remove(socket, built, raw, "remove route",
                prefix.to_text() + " by " + interface_name(index));
}

template <class Prefix>
Result<void> remove_one_unreachable_route(nl_sock* socket, const Prefix& prefix) {
  const Route route = make_unreachable_route(prefix);
  nl_msg* raw = nullptr;
  const int built = rtnl_route_build_del_request(route.get(), 0, &raw);
  return remove(socket, built, raw, "remove unreachable route", prefix.to_text());
}

}  // namespace

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

Result<void> Netlink::add_network_route(unsigned device_index, const proto::Ipv6Prefix& address) {
  return add_one_network_route(socket_.get(), device_index, address);
}

Result<void> Netlink::add_network_route(unsigned device_index, const proto::Ipv4Prefix& address) {
  return add_one_network_route(socket_.get(), device_index, address);
}

Result<void> Netlink::add_unreachable_route(const proto::Ipv6Prefix& route) {
  return add_one_unreachable_route(socket_.get(), route);
}

Result<void> Netlink::add_unreachable_route(const proto::Ipv4Prefix& route) {
  return add_one_unreachable_route(socket_.get(), route);
}

Result<void> Netlink::remove_unreachable_route(const proto::Ipv6Prefix& route) {
  return remove_one_unreachable_route(socket_.get(), route);
}

Result<void> Netlink::remove_unreachable_route(const proto::Ipv4Prefix& route) {
  return remove_one_unreachable_route(socket_.get(), route);
}

Result<void> Netlink::remove_address(unsigned device_index, const proto::Ipv6Prefix& address) {
  return remove_one_address(socket_.get(), device_index, address);
}

Result<void> Netlink::remove_address(unsigned device_index, const proto::Ipv4Prefix& address) {
  return remove_one_address(socket_.get(), device_index, address);
}

Result<void> Netlink::remove_route(unsigned device_index, const proto::Ipv6Prefix& route) {
  return remove_one_route(socket_.get(), device_index, route);
}

Result<void> Netlink::remove_route(unsigned device_index, const proto::Ipv4Prefix& route) {
  return remove_one_route(socket_.get(), device_index, route);
}

}  // namespace culvert::netlink
