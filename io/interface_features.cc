#include "io/interface_features.h"

#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>
#include <string_view>
#include <vector>

#include "io/ethtool.h"
#include "io/fd.h"

namespace culvert::io {
namespace {

/// Whether the interface belongs to a device on a bus: then rtnetlink reports the parent device.
/// /sys may show the interfaces of another network namespace, so it is not used.
bool is_hardware(unsigned interface_index) noexcept {
  constexpr unsigned short kParentName = 56;  // IFLA_PARENT_DEV_NAME, Linux 5.14
  struct {
    nlmsghdr header{.nlmsg_len = sizeof(nlmsghdr) + sizeof(ifinfomsg),
                    .nlmsg_type = RTM_GETLINK,
                    .nlmsg_flags = NLM_F_REQUEST,
                    .nlmsg_seq = 0,
                    .nlmsg_pid = 0};
    ifinfomsg link{};
  } request;
  request.link.ifi_index = static_cast<int>(interface_index);
  const Fd socket{::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE)};
  alignas(nlmsghdr) std::array<char, 16384> reply;
  if (::send(socket.get(), &request, sizeof request, 0) < 0) return false;
  const ssize_t received = ::recv(socket.get(), reply.data(), reply.size(), 0);
  const auto* message = reinterpret_cast<const nlmsghdr*>(reply.data());
  if (received <= 0 || !NLMSG_OK(message, received) || message->nlmsg_type != RTM_NEWLINK)
    return false;
  auto left = static_cast<int>(IFLA_PAYLOAD(message));
  const auto* each = IFLA_RTA(NLMSG_DATA(message));
  for (; RTA_OK(each, left); each = RTA_NEXT(each, left)) {
    if (each->rta_type == kParentName) return true;
  }
  return false;
}

}  // namespace

Result<bool> may_leave_unsegmented(unsigned interface_index) {
  std::array<char, IF_NAMESIZE> name{};
  const auto fail = [&](int code) {
    return Unexpected{Error{.code = code,
                            .operation = "read features of",
                            .object = "interface " + std::to_string(interface_index),
                            .advice = ""}};
  };
  if (::if_indextoname(interface_index, name.data()) == nullptr) return fail(ENODEV);
  if (is_hardware(interface_index)) return false;
  std::vector<InterfaceFeature> features;
  if (const int error = read_features(name.data(), features); error != 0) return fail(error);
  const auto has = [&](std::string_view wanted) {
    return std::any_of(features.begin(), features.end(), [&](const InterfaceFeature& feature) {
      return feature.is_on && feature.name == wanted;
    });
  };
  // The kernel allows segmentation offload only together with one of these features.
  return has("tx-checksum-ip-generic") || has("tx-checksum-ipv4") || has("tx-checksum-ipv6");
}

}  // namespace culvert::io
