#include "io/vrf.h"

#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <functional>
#include <string_view>

#include "io/fd.h"
#include "io/sort_unique.h"

namespace culvert::io {
namespace {

/// A request for one link, or for all links with a master.
struct LinkRequest {
  nlmsghdr header{};
  ifinfomsg link{};
  rtattr attribute{};
  std::uint32_t master = 0;
};

/// The number in an attribute; 0: it is missing.
std::uint32_t number_of(const rtattr* attribute) noexcept {
  std::uint32_t value = 0;
  if (attribute != nullptr && RTA_PAYLOAD(attribute) == sizeof value)
    std::memcpy(&value, RTA_DATA(attribute), sizeof value);
  return value;
}

/// The first attribute of a type among `bytes` bytes of attributes; null: there is none.
const rtattr* find(const rtattr* first, std::size_t bytes, unsigned short type) noexcept {
  auto rest = static_cast<int>(bytes);
  for (const rtattr* each = first; RTA_OK(each, rest); each = RTA_NEXT(each, rest))
    if ((each->rta_type & NLA_TYPE_MASK) == type) return each;
  return nullptr;
}

const rtattr* find(const nlmsghdr* link, unsigned short type) noexcept {
  const auto* facts = static_cast<const ifinfomsg*>(NLMSG_DATA(link));
  return find(IFLA_RTA(facts), IFLA_PAYLOAD(link), type);
}

bool is_vrf(const nlmsghdr* link) noexcept {
  const rtattr* const info = find(link, IFLA_LINKINFO);
  if (info == nullptr) return false;
  const rtattr* const kind =
      find(static_cast<const rtattr*>(RTA_DATA(info)), RTA_PAYLOAD(info), IFLA_INFO_KIND);
  if (kind == nullptr) return false;
  const auto* text = static_cast<const char*>(RTA_DATA(kind));
  return std::string_view{text, ::strnlen(text, RTA_PAYLOAD(kind))} == "vrf";
}

/// Calls `each` with the links of one answer. Returns whether there may be more. Sets
/// `is_interrupted` if links changed meanwhile, so that some may be missing.
bool read_answer(int socket, const std::function<void(const nlmsghdr*)>& each,
                 bool& is_interrupted) {
  alignas(nlmsghdr) std::array<std::byte, 32'768> buffer;
  const ssize_t size = ::recv(socket, buffer.data(), buffer.size(), 0);
  if (size <= 0) return size < 0 && errno == EINTR;
  auto rest = static_cast<unsigned>(size);
  bool has_more = true;
  for (const auto* message = reinterpret_cast<const nlmsghdr*>(buffer.data());
       NLMSG_OK(message, rest); message = NLMSG_NEXT(message, rest)) {
    if (message->nlmsg_type == RTM_NEWLINK) each(message);
    is_interrupted |= (message->nlmsg_flags & NLM_F_DUMP_INTR) != 0;
    // An error, the end of a dump, or one link that is no part of a dump.
    has_more =
        has_more && message->nlmsg_type == RTM_NEWLINK && (message->nlmsg_flags & NLM_F_MULTI) != 0;
  }
  return has_more;
}

/// Reads one link, or with `master` all links that have it. Older kernels return others too. Returns
/// false if links changed meanwhile, so that some may be missing.
bool read_links(int socket, std::uint32_t index, std::uint32_t master,
                const std::function<void(const nlmsghdr*)>& each) {
  LinkRequest request;
  request.header = {.nlmsg_len = sizeof request,
                    .nlmsg_type = RTM_GETLINK,
                    .nlmsg_flags = NLM_F_REQUEST,
                    .nlmsg_seq = 0,
                    .nlmsg_pid = 0};
  request.link.ifi_index = static_cast<int>(index);
  if (master == 0) {
    request.header.nlmsg_len = offsetof(LinkRequest, attribute);
  } else {
    request.header.nlmsg_flags |= NLM_F_DUMP;
    request.attribute = {.rta_len = RTA_LENGTH(sizeof master), .rta_type = IFLA_MASTER};
    request.master = master;
  }
  if (::send(socket, &request, request.header.nlmsg_len, 0) < 0) return true;
  bool is_interrupted = false;
  while (read_answer(socket, each, is_interrupted)) {
  }
  return !is_interrupted;
}

/// The members of one VRF. Tries a few times if links change meanwhile. After the last time members
/// may be missing; the owner of the list watches links, so it is read again after the change.
std::vector<VrfMember> members_of(int socket, std::uint32_t vrf) {
  constexpr int kMostTimes = 4;
  std::vector<VrfMember> members;
  bool is_complete = false;
  for (int time = 0; !is_complete && time < kMostTimes; ++time) {
    members.clear();
    is_complete = read_links(socket, 0, vrf, [&](const nlmsghdr* link) {
      const auto* facts = static_cast<const ifinfomsg*>(NLMSG_DATA(link));
      if (number_of(find(link, IFLA_MASTER)) == vrf)
        members.push_back({vrf, static_cast<std::uint32_t>(facts->ifi_index)});
    });
  }
  return members;
}

}  // namespace

std::vector<VrfMember> vrf_members(std::span<const std::string> interfaces) {
  std::vector<VrfMember> members;
  if (interfaces.empty()) return members;
  const Fd socket{::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE)};
  if (!socket) return members;
  for (const std::string& interface : interfaces) {
    const std::uint32_t index = ::if_nametoindex(interface.c_str());
    bool has_members = false;
    if (index != 0)
      read_links(socket.get(), index, 0, [&](const nlmsghdr* link) { has_members = is_vrf(link); });
    if (!has_members) continue;
    const auto found = members_of(socket.get(), index);
    members.insert(members.end(), found.begin(), found.end());
  }
  sort_unique(members);
  return members;
}

}  // namespace culvert::io
