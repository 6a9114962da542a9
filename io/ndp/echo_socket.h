// ICMPv6 echo requests by the kernel's route, and who has answered them (RFC 4443 4.1, 4.2).
// open: set-up; everything else one thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "io/fd.h"
#include "io/result.h"
#include "proto/address.h"

namespace culvert::io {

class EchoSocket {
 public:
  /// Needs CAP_NET_RAW.
  [[nodiscard]] static Result<EchoSocket> open();

  EchoSocket() = default;  ///< of nothing: is_open() is false
  [[nodiscard]] bool is_open() const noexcept { return static_cast<bool>(fd_); }
  [[nodiscard]] int fd() const noexcept { return fd_.get(); }

  /// Sends one request. False: the kernel has no route or no room; that may pass.
  [[nodiscard]] bool send(const proto::Ipv6Address& target) noexcept;

  struct Reply {
    proto::Ipv6Address source{};
    unsigned interface_index = 0;  ///< by which it came
  };
  /// The next reply that holds what our requests hold; others are skipped. Nothing: no more.
  [[nodiscard]] std::optional<Reply> receive() noexcept;

 private:
  /// Identifier, sequence number and data: random, so that nobody answers who was not asked.
  using Secret = std::array<std::byte, 12>;

  Fd fd_;
  Secret secret_{};
};

}  // namespace culvert::io
