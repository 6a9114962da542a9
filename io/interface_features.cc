#include "io/interface_features.h"

#include <linux/ethtool.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "io/fd.h"

namespace culvert::io {
namespace {

/// One of ethtool's structures, with room for the array at its end.
template <class T>
class WithRoom {
 public:
  explicit WithRoom(std::size_t room_bytes) : memory_(new std::byte[sizeof(T) + room_bytes]()) {}
  [[nodiscard]] T* get() noexcept { return reinterpret_cast<T*>(memory_.get()); }
  T* operator->() noexcept { return get(); }

 private:
  std::unique_ptr<std::byte[]> memory_;
};

class Ethtool {
 public:
  explicit Ethtool(std::string_view interface)
      : socket_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    interface.copy(request_.ifr_name, IFNAMSIZ - 1);
  }
  /// Returns 0 or an errno.
  int ask(void* command) noexcept {
    request_.ifr_data = static_cast<char*>(command);
    return ::ioctl(socket_.get(), SIOCETHTOOL, &request_) == 0 ? 0 : errno;
  }

 private:
  Fd socket_;
  ifreq request_{};
};

/// The names of the features that are on. Returns 0 or an errno.
int active_features(Ethtool& ethtool, std::vector<std::string>& active) {
  WithRoom<ethtool_sset_info> sets(sizeof(std::uint32_t));
  sets->cmd = ETHTOOL_GSSET_INFO;
  sets->sset_mask = std::uint64_t{1} << ETH_SS_FEATURES;
  if (const int error = ethtool.ask(sets.get()); error != 0) return error;
  const std::uint32_t count = sets->data[0];
  WithRoom<ethtool_gstrings> names(std::size_t{count} * ETH_GSTRING_LEN);
  names->cmd = ETHTOOL_GSTRINGS;
  names->string_set = ETH_SS_FEATURES;
  names->len = count;
  if (const int error = ethtool.ask(names.get()); error != 0) return error;
  const std::uint32_t blocks = (count + 31) / 32;
  WithRoom<ethtool_gfeatures> features(blocks * sizeof(ethtool_get_features_block));
  features->cmd = ETHTOOL_GFEATURES;
  features->size = blocks;
  if (const int error = ethtool.ask(features.get()); error != 0) return error;
  for (std::uint32_t i = 0; i < count; ++i) {
    if ((features->features[i / 32].active >> (i % 32) & 1) == 0) continue;
    const auto* name = reinterpret_cast<const char*>(names->data) + i * ETH_GSTRING_LEN;
    active.emplace_back(name, ::strnlen(name, ETH_GSTRING_LEN));
  }
  return 0;
}

/// Whether there is a device behind it, on a bus: netlink then names it. Not asked of /sys, which
/// may show the interfaces of another network namespace.
bool is_real(unsigned interface_index) noexcept {
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
  alignas(nlmsghdr) std::array<char, 16384> answer;
  if (::send(socket.get(), &request, sizeof request, 0) < 0) return false;
  const ssize_t received = ::recv(socket.get(), answer.data(), answer.size(), 0);
  const auto* message = reinterpret_cast<const nlmsghdr*>(answer.data());
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

Result<bool> leaves_work_undone(unsigned interface_index) {
  std::array<char, IF_NAMESIZE> name{};
  const auto fail = [&](int code) {
    return Unexpected{Error{.code = code,
                            .operation = "read features of",
                            .object = "interface " + std::to_string(interface_index),
                            .advice = ""}};
  };
  if (::if_indextoname(interface_index, name.data()) == nullptr) return fail(ENODEV);
  if (is_real(interface_index)) return false;
  Ethtool ethtool{name.data()};
  std::vector<std::string> active;
  if (const int error = active_features(ethtool, active); error != 0) return fail(error);
  const auto has = [&](std::string_view feature) {
    return std::find(active.begin(), active.end(), feature) != active.end();
  };
  // The kernel lets an interface have segmentation only together with one of these.
  return has("tx-checksum-ip-generic") || has("tx-checksum-ipv4") || has("tx-checksum-ipv6");
}

}  // namespace culvert::io
