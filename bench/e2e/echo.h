// Echo: measures latency with ICMPv6 echo (RFC 4443 4.1, 4.2), one request at a time, timed as ping
// does: from before the send to the kernel's timestamp of the reply. One thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "bench/e2e/namespace.h"
#include "io/fd.h"
#include "io/result.h"
#include "proto/address.h"

namespace culvert::bench {

class Echo {
 public:
  /// Opens a socket in the namespace `near` for requests to the remote endpoint's address `to`.
  [[nodiscard]] static Result<Echo> open(const Namespace& near, const proto::Ipv6Address& to);

  /// The round-trip time of one request; empty: no reply within `timeout`. Fails after a signal.
  [[nodiscard]] Result<std::optional<std::chrono::nanoseconds>> measure(
      std::chrono::milliseconds timeout);

 private:
  explicit Echo(io::Fd socket) noexcept : socket_(std::move(socket)) {}

  io::Fd socket_;
  std::uint16_t sequence_ = 0;
};

}  // namespace culvert::bench
