// The receiving sockets of the tunnels that bench makes itself. One thread.
#pragma once

#include "io/fd.h"
#include "io/result.h"

namespace culvert::bench {

struct Receiver {
  io::Fd packets;  ///< a packet socket: protocol 41, from the wire, with virtio-net headers
  /// Without it the kernel answers protocol unreachable to each packet that the other one taps.
  io::Fd guard;
};

[[nodiscard]] Result<Receiver> open_receiver();

}  // namespace culvert::bench
