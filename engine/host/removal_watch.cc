#include "engine/host/removal_watch.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/rtnetlink.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>

#include <cstddef>
#include <cstdint>

#include "io/netlink/netlink_request.h"

namespace culvert::host {
namespace {

/// BPF loads in network byte order; netlink has host byte order.
constexpr std::uint32_t kTypeOffset = offsetof(nlmsghdr, nlmsg_type);
constexpr std::uint32_t kIndexOffset = NLMSG_HDRLEN + offsetof(ifinfomsg, ifi_index);
static_assert(offsetof(ifinfomsg, ifi_index) == offsetof(ifaddrmsg, ifa_index));
/// The word of table, protocol, scope and type in a message about a route.
constexpr std::uint32_t kRouteOffset = NLMSG_HDRLEN + offsetof(rtmsg, rtm_table);
constexpr std::uint32_t kUnreachableRoute =
    RT_TABLE_MAIN << 24 | RTPROT_STATIC << 16 | RT_SCOPE_UNIVERSE << 8 | RTN_UNREACHABLE;
constexpr std::uint32_t kRouteAttributes = NLMSG_HDRLEN + sizeof(rtmsg);

/// Jumps over `count` instructions if the accumulator is `value`.
sock_filter skip_if(std::uint32_t value, std::uint8_t count) {
  return BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, count, 0);
}

/// Loads the interface of a message about the removal of an address or a route, or about a link.
std::vector<sock_filter> load_interface() {
  return {
      BPF_STMT(BPF_LD | BPF_H | BPF_ABS, kTypeOffset),
      skip_if(htons(RTM_NEWLINK), 3),
      skip_if(htons(RTM_DELADDR), 2),
      skip_if(htons(RTM_DELROUTE), 3),
      BPF_STMT(BPF_RET | BPF_K, 0),
      // An address or a link: the interface is in the header.
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kIndexOffset),
      BPF_STMT(BPF_JMP | BPF_JA, 10),
      // An unreachable route belongs to no device, so each one counts that may be ours.
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kRouteOffset),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kUnreachableRoute, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, 0xffff'ffff),
      // Another route: the interface is an attribute. A route with several next hops is not ours.
      BPF_STMT(BPF_LDX | BPF_W | BPF_IMM, RTA_OIF),
      BPF_STMT(BPF_LD | BPF_W | BPF_IMM, kRouteAttributes),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(SKF_AD_OFF + SKF_AD_NLATTR)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, 0),
      BPF_STMT(BPF_MISC | BPF_TAX, 0),
      BPF_STMT(BPF_LD | BPF_W | BPF_IND, NLA_HDRLEN),
  };
}

}  // namespace

Result<RemovalWatch> RemovalWatch::open() {
  auto socket = netlink::subscribe(NETLINK_ROUTE,
                                   {RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR,
                                    RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE},
                                   "addresses and routes of the devices");
  if (!socket) return Unexpected{socket.error()};
  RemovalWatch watch{std::move(*socket)};
  watch.set_devices({});
  return watch;
}

void RemovalWatch::set_devices(const std::vector<unsigned>& device_indices) {
  netlink::filter_interfaces(socket_.get(), load_interface(), device_indices);
}

int RemovalWatch::fd() const noexcept { return nl_socket_get_fd(socket_.get()); }

void RemovalWatch::drain() noexcept { netlink::drain(socket_.get()); }

}  // namespace culvert::host
