// ProbeSocket: asks whether a target is alive, and receives the answers. It sends an ICMPv6 echo request
// along the kernel's route (RFC 4443 4.1), and a neighbor solicitation on the target's own link, since
// many hosts answer no echo requests but must answer neighbor discovery. open(): set-up. All other
// functions: one thread.
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

class ProbeSocket {
 public:
  /// Needs CAP_NET_RAW.
  [[nodiscard]] static Result<ProbeSocket> open();

  ProbeSocket() = default;  ///< without a socket: is_open() is false
  [[nodiscard]] bool is_open() const noexcept { return static_cast<bool>(fd_); }
  [[nodiscard]] int fd() const noexcept { return fd_.get(); }

  /// Sends one echo request. If the target is on a link of ours, also a solicitation to its group
  /// there, from a link-local address of that interface. Returns false if neither could be sent: the
  /// kernel has no route (by that interface, if the probe is bound to it) or no buffer space now.
  [[nodiscard]] bool send(const Probe& probe) noexcept;

  /// The next answer: a reply to one of our echo requests, or a valid solicited advertisement
  /// (RFC 4861 7.1.2) of a target, to which a request of ours may have led or one of the kernel.
  /// Others are skipped. Empty: no more are queued.
  [[nodiscard]] std::optional<ProbeReply> receive() noexcept;

 private:
  /// Identifier, sequence number and data of every request. Random, so that a host that did not
  /// receive a request cannot forge a reply.
  using Secret = std::array<std::byte, 12>;

  [[nodiscard]] bool send_echo(const proto::Ipv6Address& target, unsigned bound_index) noexcept;
  [[nodiscard]] bool send_solicitation(const proto::Ipv6Address& target,
                                       unsigned interface_index) noexcept;

  Fd fd_;
  Secret secret_{};
};

}  // namespace culvert::io
