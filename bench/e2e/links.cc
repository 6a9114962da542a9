#include "bench/e2e/links.h"

#include <net/if.h>
#include <netlink/errno.h>
#include <netlink/netlink.h>
#include <netlink/route/link.h>
#include <netlink/route/link/ipgre.h>
#include <netlink/route/link/ipip.h>
#include <netlink/route/link/sit.h>
#include <netlink/route/link/veth.h>
#include <netlink/route/link/vxlan.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "bench/e2e/error.h"
#include "io/fd.h"
#include "io/netlink/netlink.h"
#include "io/netlink/netlink_request.h"

namespace culvert::bench {
namespace {

constexpr std::uint8_t kTtl = 64;
constexpr std::uint32_t kVxlanPort = 4789;  // RFC 7348 5

using Link = std::unique_ptr<rtnl_link, netlink::Free<rtnl_link_put>>;
using Address = std::unique_ptr<nl_addr, netlink::Free<nl_addr_put>>;

Result<void> add(rtnl_link* link, const std::string& name) {
  const auto socket = netlink::connect_netlink(NETLINK_ROUTE);
  if (!socket) return Unexpected{socket.error()};
  const int error = rtnl_link_add(socket->get(), link, NLM_F_CREATE | NLM_F_EXCL);
  if (error == 0) return {};
  return fail(error == -NLE_OPNOTSUPP ? EOPNOTSUPP : 0, "add link", name, nl_geterror(error));
}

/// The address as a netlink attribute: four bytes in network byte order.
std::uint32_t to_wire(proto::Ipv4Address address) {
  std::uint32_t result = 0;
  std::memcpy(&result, address.bytes.data(), sizeof result);
  return result;
}

Address to_nl(proto::Ipv4Address address) {
  return Address{nl_addr_build(AF_INET, address.bytes.data(), address.bytes.size())};
}

Link make_vxlan(unsigned wire_index, const TunnelEndpoints& ends) {
  Link link{rtnl_link_vxlan_alloc()};
  if (!link) return link;
  rtnl_link_vxlan_set_id(link.get(), 1);
  rtnl_link_vxlan_set_link(link.get(), wire_index);
  rtnl_link_vxlan_set_local(link.get(), to_nl(ends.local).get());
  rtnl_link_vxlan_set_group(link.get(), to_nl(ends.remote).get());
  rtnl_link_vxlan_set_port(link.get(), kVxlanPort);
  return link;
}

/// A tunnel directly in IPv4. The functions of libnl for its kind, in the order of their use.
template <auto allocate, auto set_link, auto set_local, auto set_remote, auto set_ttl>
Link make_ip_tunnel(unsigned wire_index, const TunnelEndpoints& ends) {
  Link link{allocate()};
  if (!link) return link;
  set_link(link.get(), wire_index);
  set_local(link.get(), to_wire(ends.local));
  set_remote(link.get(), to_wire(ends.remote));
  set_ttl(link.get(), kTtl);
  return link;
}

constexpr auto make_sit =
    make_ip_tunnel<rtnl_link_sit_alloc, rtnl_link_sit_set_link, rtnl_link_sit_set_local,
                   rtnl_link_sit_set_remote, rtnl_link_sit_set_ttl>;
constexpr auto make_ipip =
    make_ip_tunnel<rtnl_link_ipip_alloc, rtnl_link_ipip_set_link, rtnl_link_ipip_set_local,
                   rtnl_link_ipip_set_remote, rtnl_link_ipip_set_ttl>;
constexpr auto make_gre =
    make_ip_tunnel<rtnl_link_ipgre_alloc, rtnl_link_ipgre_set_link, rtnl_link_ipgre_set_local,
                   rtnl_link_ipgre_set_remote, rtnl_link_ipgre_set_ttl>;

Link make_link(KernelTunnel kind, unsigned wire_index, const TunnelEndpoints& ends) {
  switch (kind) {
    case KernelTunnel::vxlan:
      return make_vxlan(wire_index, ends);
    case KernelTunnel::sit:
      return make_sit(wire_index, ends);
    case KernelTunnel::ipip:
      return make_ipip(wire_index, ends);
    case KernelTunnel::gre:
      return make_gre(wire_index, ends);
  }
  return {};
}

template <class... Address>
Result<void> set_up(const std::string& device, std::uint16_t mtu_bytes,
                    const Address&... addresses) {
  auto netlink = netlink::Netlink::open();
  if (!netlink) return Unexpected{netlink.error()};
  const unsigned index = ::if_nametoindex(device.c_str());
  if (index == 0) return fail(errno, "find", device);
  if (mtu_bytes != 0) {
    if (auto set = netlink->set_mtu(index, mtu_bytes); !set) return set;
  }
  Result<void> added;
  ((added = added ? netlink->add_address(index, addresses) : added), ...);
  return added ? netlink->set_up(index) : added;
}

ifreq request_for(const std::string& device) {
  ifreq request{};
  device.copy(request.ifr_name, IFNAMSIZ - 1);
  return request;
}

/// An ioctl about a device of the calling thread's namespace (netdevice(7)). False: see errno.
bool call(unsigned long operation, ifreq& request) {
  const io::Fd socket{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  return ::ioctl(socket.get(), operation, &request) == 0;
}

}  // namespace

Result<void> add_veth(const std::string& name, const Namespace& a, const Namespace& b) {
  const Link link{rtnl_link_veth_alloc()};
  if (!link) return fail(ENOMEM, "add link", name);
  rtnl_link_set_name(link.get(), name.c_str());
  const Link peer{rtnl_link_veth_get_peer(link.get())};
  rtnl_link_set_name(peer.get(), name.c_str());
  rtnl_link_set_ns_fd(peer.get(), b.fd());
  return a.inside([&] { return add(link.get(), name); });
}

Result<void> add_kernel_tunnel(KernelTunnel kind, const std::string& name, const std::string& wire,
                               const TunnelEndpoints& ends) {
  const unsigned wire_index = ::if_nametoindex(wire.c_str());
  if (wire_index == 0) return fail(errno, "find", wire);
  const Link link = make_link(kind, wire_index, ends);
  if (!link) return fail(ENOMEM, "add link", name);
  rtnl_link_set_name(link.get(), name.c_str());
  return add(link.get(), name);
}

Result<void> bring_up(const std::string& device, std::uint16_t mtu_bytes,
                      const proto::Ipv6Prefix& address) {
  return set_up(device, mtu_bytes, address);
}

Result<void> bring_up(const std::string& device, std::uint16_t mtu_bytes,
                      const proto::Ipv4Prefix& address) {
  return set_up(device, mtu_bytes, address);
}

Result<void> bring_up(const std::string& device, std::uint16_t mtu_bytes) {
  return set_up(device, mtu_bytes);
}

bool is_up(const std::string& device) {
  ifreq request = request_for(device);
  return call(SIOCGIFFLAGS, request) && (request.ifr_flags & IFF_UP) != 0;
}

Result<void> bring_down(const std::string& device) {
  ifreq request = request_for(device);
  if (call(SIOCGIFFLAGS, request)) {
    request.ifr_flags = static_cast<short>(request.ifr_flags & ~IFF_UP);
    if (call(SIOCSIFFLAGS, request)) return {};
  }
  return fail(errno, "take down", device);
}

Result<io::EthernetAddress> link_address(const std::string& device) {
  ifreq request = request_for(device);
  if (!call(SIOCGIFHWADDR, request)) return fail(errno, "read the address of", device);
  io::EthernetAddress address;
  std::memcpy(address.bytes.data(), request.ifr_hwaddr.sa_data, address.bytes.size());
  return address;
}

}  // namespace culvert::bench
