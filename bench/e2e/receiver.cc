#include "bench/e2e/receiver.h"

#include <utility>

#include "bench/e2e/rig.h"
#include "io/packet_socket.h"
#include "io/raw_socket.h"
#include "proto/ipv4.h"

namespace culvert::bench {

Result<Receiver> open_receiver() {
  auto guard = io::open_raw_guard_socket(proto::kProtocolIpv6);
  if (!guard) return Unexpected{guard.error()};
  auto sockets =
      io::open_packet_sockets({.protocols = {proto::kProtocolIpv6}, .interface = kWire}, 1);
  if (!sockets) return Unexpected{sockets.error()};
  return Receiver{.packets = std::move(sockets->front()), .guard = std::move(*guard)};
}

}  // namespace culvert::bench
