// Netlink's reading of one device: its addresses, and the routes by it.
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/netlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "io/netlink/netlink.h"
#include "io/netlink/netlink_request.h"

namespace culvert::netlink {
namespace {

template <class Prefix>
constexpr int kFamily = std::is_same_v<Prefix, proto::Ipv6Prefix> ? AF_INET6 : AF_INET;

int read_flags(nl_sock* socket, unsigned index, bool& is_up) {
  ifinfomsg header{};
  header.ifi_index = static_cast<int>(index);
  return request_object(socket, RTM_GETLINK, header, [&](nlmsghdr* part) {
    is_up = (static_cast<const ifinfomsg*>(nlmsg_data(part))->ifi_flags & IFF_UP) != 0;
  });
}

template <class Prefix>
int read_addresses(nl_sock* socket, unsigned index, std::vector<Prefix>& found) {
  ifaddrmsg header{};
  header.ifa_family = kFamily<Prefix>;
  header.ifa_index = index;
  const int code = dump_objects(socket, RTM_GETADDR, header, found, [&](nlmsghdr* part) {
    const auto* facts = static_cast<const ifaddrmsg*>(nlmsg_data(part));
    Prefix prefix{.address = {}, .length_bits = facts->ifa_prefixlen};
    if (facts->ifa_family != kFamily<Prefix> || facts->ifa_index != index) return;
    if (copy(attribute<ifaddrmsg>(part, IFA_LOCAL), prefix.address.bytes) ||
        copy(attribute<ifaddrmsg>(part, IFA_ADDRESS), prefix.address.bytes))
      found.push_back(prefix);
  });
  std::sort(found.begin(), found.end());
  return code == EINTR ? 0 : code;  // see Netlink::read_device()
}

template <class Prefix>
int read_routes(nl_sock* socket, unsigned index, std::vector<Prefix>& found) {
  rtmsg header{};
  header.rtm_family = kFamily<Prefix>;
  const Message message = make_request(RTM_GETROUTE, NLM_F_DUMP, header);
  if (!message) return ENOMEM;
  nla_put_u32(message.get(), RTA_OIF, index);
  const auto add = [&](nlmsghdr* part) {
    const auto* facts = static_cast<const rtmsg*>(nlmsg_data(part));
    std::uint32_t output = 0;
    copy(attribute<rtmsg>(part, RTA_OIF), output);
    if (facts->rtm_family != kFamily<Prefix> || facts->rtm_type != RTN_UNICAST || output != index)
      return;
    if (facts->rtm_table == RT_TABLE_LOCAL || (facts->rtm_flags & RTM_F_CLONED) != 0) return;
    Prefix prefix{.address = {}, .length_bits = facts->rtm_dst_len};
    copy(attribute<rtmsg>(part, RTA_DST), prefix.address.bytes);
    found.push_back(prefix);
  };
  const int code = dump(
      socket, message.get(), [&] { found.clear(); }, add);
  std::sort(found.begin(), found.end());
  return code;
}

template <class Prefix>
int read_unreachable(nl_sock* socket, std::vector<Prefix>& found) {
  rtmsg header{};
  header.rtm_family = kFamily<Prefix>;
  header.rtm_table = RT_TABLE_MAIN;
  header.rtm_type = RTN_UNREACHABLE;
  const int code = dump_objects(socket, RTM_GETROUTE, header, found, [&](nlmsghdr* part) {
    const auto* facts = static_cast<const rtmsg*>(nlmsg_data(part));
    std::uint32_t metric = 0;
    copy(attribute<rtmsg>(part, RTA_PRIORITY), metric);
    if (facts->rtm_family != kFamily<Prefix> || facts->rtm_type != RTN_UNREACHABLE) return;
    if (facts->rtm_table != RT_TABLE_MAIN || metric != kUnreachableMetric) return;
    Prefix prefix{.address = {}, .length_bits = facts->rtm_dst_len};
    copy(attribute<rtmsg>(part, RTA_DST), prefix.address.bytes);
    found.push_back(prefix);
  });
  std::sort(found.begin(), found.end());
  return code == EINTR ? 0 : code;  // see Netlink::read_device()
}

}  // namespace

Result<UnreachableFound> Netlink::read_unreachable_routes() {
  const StrictCheck strict{socket_.get()};
  UnreachableFound found;
  int code = read_unreachable(socket_.get(), found.routes6);
  if (code == 0) code = read_unreachable(socket_.get(), found.routes4);
  if (code == 0) return found;
  return fail(code, "read", "unreachable routes");
}

Result<DeviceFound> Netlink::read_device(unsigned device_index) {
  const StrictCheck strict{socket_.get()};
  nl_sock* const socket = socket_.get();
  DeviceFound found;
  int code = read_flags(socket, device_index, found.is_up);
  if (code == 0) code = read_addresses(socket, device_index, found.addresses6);
  if (code == 0) code = read_addresses(socket, device_index, found.addresses4);
  if (code == 0) code = read_routes(socket, device_index, found.routes6);
  if (code == 0) code = read_routes(socket, device_index, found.routes4);
  if (code == 0) return found;
  return fail(code, "read addresses and routes of", interface_name(device_index));
}

}  // namespace culvert::netlink
