// What an interface is to hear: solicited-node groups, joined as RFC 4861 7.2.8 wants them, so that
// switches which snoop MLD learn of us too; or all groups, where there are too many to join. Held
// by sockets, so that it ends with them, also when the process is killed. Set-up; one thread.
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
  /// Joins these groups on the interface and leaves all others. On error it has left all: what the
  /// kernel lets a socket hold (net.core.optmem_max) is not the limit, for it takes more sockets.
  [[nodiscard]] Result<void> join(unsigned interface_index,
                                  std::span<const proto::Ipv6Address> groups);
  /// Leaves all groups; the interface hears everything that is multicast.
  [[nodiscard]] Result<void> join_all_multicast(unsigned interface_index);
  /// Leaves everything.
  void leave() noexcept;

  [[nodiscard]] std::size_t count() const noexcept { return joined_.size(); }
  [[nodiscard]] bool has_all_multicast() const noexcept { return static_cast<bool>(all_); }

 private:
  [[nodiscard]] Result<void> join_one(const proto::Ipv6Address& group);

  unsigned interface_index_ = 0;
  std::vector<Fd> sockets_;
  std::map<proto::Ipv6Address, std::size_t> joined_;  ///< by which socket
  Fd all_;
};

}  // namespace culvert::io
