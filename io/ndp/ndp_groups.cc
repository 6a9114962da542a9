#include "io/ndp/ndp_groups.h"

#include <linux/if_packet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <set>
#include <string>
#include <utility>

#include "io/socket_options.h"

namespace culvert::io {
namespace {

/// `option`: IPV6_JOIN_GROUP or IPV6_LEAVE_GROUP. Returns 0 or an errno.
int change_membership(const Fd& socket, int option, unsigned interface_index,
                      const proto::Ipv6Address& group) noexcept {
  ipv6_mreq request{};
  std::memcpy(&request.ipv6mr_multiaddr, group.bytes.data(), group.bytes.size());
  request.ipv6mr_interface = interface_index;
  return ::setsockopt(socket.get(), IPPROTO_IPV6, option, &request, sizeof request) == 0 ? 0
                                                                                         : errno;
}

}  // namespace

Result<void> NdpGroups::join(unsigned interface_index, std::span<const proto::Ipv6Address> groups) {
  if (interface_index != interface_index_) leave();
  interface_index_ = interface_index;
  const std::set<proto::Ipv6Address> wanted(groups.begin(), groups.end());
  for (auto joined = joined_.begin(); joined != joined_.end();) {
    if (wanted.count(joined->first) != 0) {
      ++joined;
      continue;
    }
    change_membership(sockets_[joined->second], IPV6_LEAVE_GROUP, interface_index_, joined->first);
    joined = joined_.erase(joined);
  }
  for (const auto& group : wanted) {
    if (joined_.count(group) != 0) continue;
    if (auto done = join_one(group); !done) {
      leave();
      return done;
    }
  }
  all_multicast_.reset();
  return {};
}

// A socket with the maximum number of groups fails with ENOBUFS or ENOMEM: then a new socket is
// opened.
Result<void> NdpGroups::join_one(const proto::Ipv6Address& group) {
  const SocketName name{"group " + group.to_text(),
                        "on interface " + std::to_string(interface_index_)};
  const bool has_socket = !sockets_.empty();
  int code =
      has_socket ? change_membership(sockets_.back(), IPV6_JOIN_GROUP, interface_index_, group) : 0;
  if (!has_socket || code == ENOBUFS || code == ENOMEM) {
    Fd socket{::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    if (!socket) return name.fail(errno, "open a socket for");
    sockets_.push_back(std::move(socket));
    code = change_membership(sockets_.back(), IPV6_JOIN_GROUP, interface_index_, group);
  }
  if (code != 0) return name.fail(code, "join");
  joined_.emplace(group, sockets_.size() - 1);
  return {};
}

Result<void> NdpGroups::join_all_multicast(unsigned interface_index) {
  if (all_multicast_ && interface_index == interface_index_) return {};
  leave();
  interface_index_ = interface_index;
  const SocketName name{"packet socket", "on interface " + std::to_string(interface_index)};
  auto socket = open_filtered_socket(AF_PACKET, 0, name);
  if (!socket) return Unexpected{socket.error()};
  packet_mreq request{};
  request.mr_ifindex = static_cast<int>(interface_index);
  request.mr_type = PACKET_MR_ALLMULTI;
  if (::setsockopt(socket->get(), SOL_PACKET, PACKET_ADD_MEMBERSHIP, &request, sizeof request) != 0)
    return name.fail(errno, "set PACKET_MR_ALLMULTI of");
  all_multicast_ = std::move(*socket);
  return {};
}

void NdpGroups::leave() noexcept {
  joined_.clear();
  sockets_.clear();
  all_multicast_.reset();
}

}  // namespace culvert::io
