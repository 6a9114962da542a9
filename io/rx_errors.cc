#include "io/rx_errors.h"

#include <linux/if_packet.h>
#include <linux/sock_diag.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

namespace culvert::io {

Error tun_rx_error(int code, std::string_view object) {
  std::string advice;
  switch (code) {
    case EBADFD:
    case ENODEV:
    case EFAULT:
      advice = "the device has been deleted";
      break;
    default:
      break;
  }
  return {.code = code, .operation = "read TUN", .object = std::string{object}, .advice = advice};
}

Result<void> socket_rx_error(int code, std::string_view object) {
  switch (code) {
    case ENETDOWN:     // the interface is down; packets arrive again when it is up
    case ENODEV:       // an interface was deleted
    case ENETUNREACH:  // an ICMP error that the kernel reports to the socket
    case EHOSTUNREACH:
    case ECONNREFUSED:
    case ENOPROTOOPT:
    case EMSGSIZE:
    case EPROTO:
    case ENOBUFS:
    case ENOMEM:
    case EAGAIN:
    case EINTR:
      return {};
    default:
      return Unexpected{Error{.code = code,
                              .operation = "receive outer packets for",
                              .object = std::string{object},
                              .advice = ""}};
  }
}

LossMeter::LossMeter(ReceiveKind kind, const std::vector<Fd>& sockets) : kind_(kind) {
  for (const Fd& socket : sockets) sockets_.push_back(socket.get());
}

Losses LossMeter::read() noexcept {
  Losses losses;
  for (const int socket : sockets_) {
    if (kind_ == ReceiveKind::packet) {
      tpacket_stats statistics{};
      socklen_t size = sizeof statistics;
      if (::getsockopt(socket, SOL_PACKET, PACKET_STATISTICS, &statistics, &size) == 0)
        packet_drops_ += statistics.tp_drops;
    } else {
      std::array<std::uint32_t, SK_MEMINFO_VARS> memory{};
      socklen_t size = sizeof memory;
      if (::getsockopt(socket, SOL_SOCKET, SO_MEMINFO, memory.data(), &size) == 0)
        losses.tunnel_queue_full += memory[SK_MEMINFO_DROPS];
    }
  }
  losses.tunnel_queue_full += packet_drops_;
  return losses;
}

}  // namespace culvert::io
