#include "bench/e2e/receiver.h"

#include <utility>

#include "bench/e2e/rig.h"
#include "io/packet_socket.h"
#include "io/raw_socket.h"

namespace culvert::bench {

Result<Receiver> open_receiver(std::uint8_t ip_protocol) {
  auto guard = io::open_raw_guard_socket(ip_protocol);
  if (!guard) return Unexpected{guard.error()};
  auto sockets = io::open_packet_sockets({.protocols = {ip_protocol}, .interface = kWire}, 1);
  if (!sockets) return Unexpected{sockets.error()};
  return Receiver{.packets = std::move(sockets->front()), .guard = std::move(*guard)};
}

}  // namespace culvert::bench
