// The TUN or TAP device: one queue per worker, virtio-net headers, offloads
// (Documentation/networking/tuntap.rst). Set-up only; any thread.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "io/fd.h"
#include "io/result.h"
#include "proto/link_type.h"

namespace culvert::io {

/// A TUN or TAP device that we have created. The kernel deletes it when its queues are closed, also after
/// SIGKILL.
struct Tun {
  std::string name;                                 ///< the kernel's name: "tun%d" becomes "tun0"
  unsigned index = 0;                               ///< interface index
  std::vector<Fd> queues;                           ///< non-blocking, close-on-exec, IFF_VNET_HDR
  bool has_uso = false;                             ///< USO4 and USO6 are on (Linux 6.2)
  proto::LinkType link_type = proto::LinkType::ip;  ///< ethernet: it is a TAP device
};

/// Creates the device `name` with `queue_count` queues: TUN or, for Ethernet, TAP. `offload`: let the
/// kernel pass super-packets and unfinished checksums (TUNSETOFFLOAD). While the name is
/// in use it blocks for up to a second: the kernel may still be removing the device of a process that
/// has ended. Fails, with advice, if the name is still in use then, or by a persistent TUN device
/// (EBUSY), or longer than 15 bytes (EINVAL), without /dev/net/tun (ENOENT: how to get it in LXC,
/// OpenVZ and Docker) and without CAP_NET_ADMIN (EPERM).
[[nodiscard]] Result<Tun> open_tun(const std::string& name, std::size_t queue_count,
                                   proto::LinkType link_type = proto::LinkType::ip,
                                   bool offload = true);

/// Returns whether the device of this queue has been deleted. One system call.
[[nodiscard]] bool is_deleted(const Fd& queue) noexcept;

}  // namespace culvert::io
