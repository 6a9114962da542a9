// The RX sockets of the tunnels `single` and `bare`. One thread.
#pragma once

#include "io/fd.h"
#include "io/result.h"

namespace culvert::bench {

struct Receiver {
  io::Fd packets;  ///< packet socket: protocol 41, from the wire, with virtio-net headers
  /// Without it the kernel answers protocol unreachable to every packet that `packets` receives.
  io::Fd guard;
};

[[nodiscard]] Result<Receiver> open_receiver();

}  // namespace culvert::bench
