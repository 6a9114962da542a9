// RX errors: the meaning of an errno of a receive, and the number of packets that the kernel
// dropped before we could receive them. Ring and Poller use it. One thread.
#pragma once

#include <string_view>
#include <vector>

#include "io/packet_io.h"
#include "io/result.h"
#include "io/sockets.h"

namespace culvert::io {

/// The error for a TUN device that cannot be read any more, usually because it was deleted.
[[nodiscard]] Error tun_rx_error(int code, std::string_view object);

/// An error if the socket can never receive again. Success if the errno is temporary, for example
/// because the interface is down.
[[nodiscard]] Result<void> socket_rx_error(int code, std::string_view object);

/// Adds up the kernel's drop counters of sockets whose receive buffer was full. The sockets outlive
/// it.
class LossMeter {
 public:
  LossMeter() = default;
  LossMeter(ReceiveKind kind, const std::vector<Fd>& sockets);
  /// The losses since the start.
  [[nodiscard]] Losses read() noexcept;

 private:
  ReceiveKind kind_ = ReceiveKind::packet;
  std::vector<int> sockets_;
  std::uint64_t packet_drops_ = 0;  ///< a sum, since reading PACKET_STATISTICS resets them
};

}  // namespace culvert::io
