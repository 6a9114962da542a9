// The RX sockets of the tunnels `single` and `bare`. One thread.
#pragma once

#include <cstdint>

#include "io/fd.h"
#include "io/result.h"

namespace culvert::bench {

struct Receiver {
  io::Fd packets;  ///< packet socket: outer packets from the wire, with virtio-net headers
  /// Without it the kernel answers protocol unreachable to every packet that `packets` receives.
  io::Fd guard;
};

/// `ip_protocol`: of the outer packets.
[[nodiscard]] Result<Receiver> open_receiver(std::uint8_t ip_protocol);

}  // namespace culvert::bench
