// EchoSocket: sends ICMPv6 echo requests along the kernel's routes and receives the replies
// (RFC 4443 4.1, 4.2). open(): set-up. All other functions: one thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "io/fd.h"
#include "io/ndp/ndp_io.h"
#include "io/result.h"
#include "proto/address.h"

namespace culvert::io {

class EchoSocket {
 public:
  /// Needs CAP_NET_RAW.
  [[nodiscard]] static Result<EchoSocket> open();

  EchoSocket() = default;  ///< without a socket: is_open() is false
  [[nodiscard]] bool is_open() const noexcept { return static_cast<bool>(fd_); }
  [[nodiscard]] int fd() const noexcept { return fd_.get(); }

  /// Sends one request. Returns false if the kernel has no route or no buffer space now.
  [[nodiscard]] bool send(const proto::Ipv6Address& target) noexcept;

  /// The next reply to one of our requests; other echo replies are skipped. Empty: no more replies
  /// are queued.
  [[nodiscard]] std::optional<EchoReply> receive() noexcept;

 private:
  /// Identifier, sequence number and data of every request. Random, so that a host that did not
  /// receive a request cannot forge a reply.
  using Secret = std::array<std::byte, 12>;

  Fd fd_;
  Secret secret_{};
};

}  // namespace culvert::io
