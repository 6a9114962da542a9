#include "bench/e2e/routes.h"

#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/errno.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/route.h>

#include <cerrno>
#include <memory>

#include "bench/e2e/error.h"
#include "io/netlink/netlink.h"
#include "io/netlink/netlink_request.h"

namespace culvert::bench {
namespace {

using Route = std::unique_ptr<rtnl_route, netlink::Free<rtnl_route_put>>;
using NlAddress = std::unique_ptr<nl_addr, netlink::Free<nl_addr_put>>;

int family_of(const proto::Ipv4Address&) { return AF_INET; }
int family_of(const proto::Ipv6Address&) { return AF_INET6; }

template <class Address>
NlAddress to_nl(const Address& address) {
  return NlAddress{nl_addr_build(family_of(address), address.bytes.data(), address.bytes.size())};
}

struct Kind {
  std::uint8_t type;
  std::uint8_t scope;
  std::uint32_t table;
};

/// `router`: null for a route without a router.
template <class Prefix, class Address>
Result<void> add(const Prefix& to, const std::string& device, const Address* router, Kind kind) {
  const unsigned index = ::if_nametoindex(device.c_str());
  if (index == 0) return fail(errno, "find", device);
  const auto socket = netlink::connect_netlink(NETLINK_ROUTE);
  if (!socket) return Unexpected{socket.error()};
  const Route route{rtnl_route_alloc()};
  const NlAddress destination = to_nl(to.address);
  rtnl_nexthop* hop = rtnl_route_nh_alloc();
  if (!route || !destination || hop == nullptr) return fail(ENOMEM, "add route to", to.to_text());
  nl_addr_set_prefixlen(destination.get(), to.length_bits);
  rtnl_route_set_family(route.get(), static_cast<std::uint8_t>(family_of(to.address)));
  rtnl_route_set_dst(route.get(), destination.get());
  rtnl_route_set_type(route.get(), kind.type);
  rtnl_route_set_scope(route.get(), kind.scope);
  rtnl_route_set_table(route.get(), kind.table);
  rtnl_route_nh_set_ifindex(hop, static_cast<int>(index));
  if (router != nullptr) rtnl_route_nh_set_gateway(hop, to_nl(*router).get());
  rtnl_route_add_nexthop(route.get(), hop);
  const int error = rtnl_route_add(socket->get(), route.get(), NLM_F_CREATE | NLM_F_EXCL);
  return error == 0 ? Result<void>{} : fail(0, "add route to", to.to_text(), nl_geterror(error));
}

constexpr Kind kByRouter{RTN_UNICAST, RT_SCOPE_UNIVERSE, RT_TABLE_MAIN},
    kLocal{RTN_LOCAL, RT_SCOPE_HOST, RT_TABLE_LOCAL};

}  // namespace

Result<void> add_route(const proto::Ipv6Prefix& to, const std::string& device,
                       const proto::Ipv6Address& router) {
  return add(to, device, &router, kByRouter);
}

Result<void> add_route(const proto::Ipv4Prefix& to, const std::string& device,
                       proto::Ipv4Address router) {
  return add(to, device, &router, kByRouter);
}

Result<void> make_local(const proto::Ipv6Prefix& prefix) {
  return add<proto::Ipv6Prefix, proto::Ipv6Address>(prefix, "lo", nullptr, kLocal);
}

Result<void> make_local(const proto::Ipv4Prefix& prefix) {
  return add<proto::Ipv4Prefix, proto::Ipv4Address>(prefix, "lo", nullptr, kLocal);
}

}  // namespace culvert::bench
