// What an errno means while packets flow, and the packets that were lost before we could take them.
// For Ring and Poller alike. One thread.
#pragma once

#include <string_view>
#include <vector>

#include "io/packet_io.h"
#include "io/result.h"
#include "io/sockets.h"

namespace culvert::io {

/// The TUN device cannot be read any more: it has been deleted, or worse.
[[nodiscard]] Error tun_rx_error(int code, std::string_view object);

/// Receiving failed for good. Nothing: the socket goes on, as after its interface went down.
[[nodiscard]] Result<void> socket_rx_error(int code, std::string_view object);

/// Adds up what the kernel says of the sockets' full receive buffers.
class LossMeter {
 public:
  LossMeter() = default;
  LossMeter(ReceiveKind kind, const std::vector<Fd>& sockets);
  [[nodiscard]] Losses read() noexcept;

 private:
  ReceiveKind kind_ = ReceiveKind::packet;
  std::vector<int> sockets_;
  std::uint64_t packet_drops_ = 0;  ///< PACKET_STATISTICS start again at each reading
};

}  // namespace culvert::io
