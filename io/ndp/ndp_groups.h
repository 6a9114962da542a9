// NdpGroups: the multicast groups that an interface receives for an NDP proxy. It joins
// solicited-node groups (RFC 4861 7.2.8), so that switches with MLD snooping forward them to us; or
// it enables all-multicast if there are too many groups. Sockets hold the memberships, so the
// kernel drops them even if the process is killed. Set-up; one thread.
#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <vector>

#include "io/fd.h"
#include "io/result.h"
#include "proto/address.h"

namespace culvert::io {

class NdpGroups {
 public:
  /// Joins these groups on the interface and leaves all others. On error it has left all groups.
  /// net.core.optmem_max limits the groups of one socket, but not these groups: more sockets are
  /// opened as needed.
  [[nodiscard]] Result<void> join(unsigned interface_index,
                                  std::span<const proto::Ipv6Address> groups);
  /// Leaves all groups and makes the interface receive all multicast packets (PACKET_MR_ALLMULTI).
  [[nodiscard]] Result<void> join_all_multicast(unsigned interface_index);
  /// Leaves all groups and ends all-multicast.
  void leave() noexcept;

  [[nodiscard]] std::size_t count() const noexcept { return joined_.size(); }
  [[nodiscard]] bool has_all_multicast() const noexcept {
    return static_cast<bool>(all_multicast_);
  }

 private:
  [[nodiscard]] Result<void> join_one(const proto::Ipv6Address& group);

  unsigned interface_index_ = 0;
  std::vector<Fd> sockets_;
  std::map<proto::Ipv6Address, std::size_t> joined_;  ///< group, and its index in sockets_
  Fd all_multicast_;
};

}  // namespace culvert::io
