// Echo: measures latency with ICMP echo (RFC 4443 4.1, 4.2; RFC 792), one request at a time, timed
// as ping does: from before the send to the kernel's timestamp of the reply. One thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "bench/e2e/inner_network.h"
#include "bench/e2e/namespace.h"
#include "io/fd.h"
#include "io/result.h"

namespace culvert::bench {

class Echo {
 public:
  /// Opens a socket in the namespace `near` for requests to the remote endpoint's address `to`. The
  /// namespace's ping_group_range must contain the group of this process.
  [[nodiscard]] static Result<Echo> open(const Namespace& near, const InnerAddress& to);

  /// The round-trip time of one request; empty: no reply within `timeout`. Fails after a signal.
  [[nodiscard]] Result<std::optional<std::chrono::nanoseconds>> measure(
      std::chrono::milliseconds timeout);

 private:
  Echo(io::Fd socket, std::uint8_t request_type) noexcept
      : socket_(std::move(socket)), request_type_(request_type) {}

  io::Fd socket_;
  std::uint8_t request_type_;
  std::uint16_t sequence_ = 0;
};

}  // namespace culvert::bench
