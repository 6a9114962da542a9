// The TUN device: one queue a worker, virtio-net headers, offloads
// (Documentation/networking/tuntap.rst).
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "io/fd.h"
#include "io/result.h"

namespace culvert::io {

/// A TUN device of ours. It exists as long as its queues are open: nothing is left behind, also
/// after SIGKILL.
struct Tun {
  std::string name;        ///< as the kernel calls it: "tun%d" becomes "tun0"
  unsigned index = 0;      ///< of the interface
  std::vector<Fd> queues;  ///< non-blocking, close-on-exec, IFF_VNET_HDR
  bool has_tso = false;    ///< TSO4, TSO6 and checksum offload were taken
  bool has_uso = false;    ///< USO4 and USO6 too (Linux 6.2)
};

/// Creates the device `name` with `queue_count` queues. Refuses a name in use (EBUSY), one longer
/// than 15 bytes, a missing /dev/net/tun (ENOENT: what to do in LXC, OpenVZ, Docker), a missing
/// CAP_NET_ADMIN (EPERM), each with advice.
[[nodiscard]] Result<Tun> open_tun(const std::string& name, std::size_t queue_count);

}  // namespace culvert::io
