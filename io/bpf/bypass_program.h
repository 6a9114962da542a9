// Tunnel packets that go no further up the stack. What a packet socket has received the kernel also
// carries on: route look-up, netfilter, the copy for a raw socket that drops it. That costs as much
// as receiving it did. A BPF program on the way in of an interface (tcx, Linux 6.6) marks the
// packets of our tunnels and makes the kernel believe that they are another host's, so that IPv4
// leaves them alone; the packet sockets know the mark (PacketSocketOptions). It is gone with the
// last descriptor of its link.
//
// It takes whole IPv4 packets without options, from and to the endpoints of a tunnel, with its key;
// all others, outer fragments among them, go the ordinary way. Set-up; one thread.
#pragma once

#include <compare>
#include <cstdint>
#include <vector>

#include "io/bpf/bpf.h"
#include "io/fd.h"
#include "io/result.h"
#include "proto/address.h"

namespace culvert::io {

/// Whose packets are taken. The layout is that of the program's keys.
struct BypassEndpoints {
  proto::Ipv4Address remote;  ///< source of what comes in
  proto::Ipv4Address local;
  std::uint32_t protocol = 0;  ///< of IPv4: 41 or 47
  std::uint32_t key = 0;       ///< of GRE, host byte order; 0 without has_key
  std::uint32_t has_key = 0;   ///< 1: the K bit has to be set; 0: it must not be
  friend auto operator<=>(const BypassEndpoints&, const BypassEndpoints&) = default;
};
static_assert(sizeof(BypassEndpoints) == 20);

/// Mark of a packet that the program has taken.
inline constexpr std::uint32_t kBypassMark = 0x4517'7a4b;

class BypassProgram {
 public:
  /// Loads the program, with room for `tunnels`. Fails with EPERM where BPF is forbidden.
  [[nodiscard]] static Result<BypassProgram> open(std::size_t tunnels);

  /// Attaches it to an interface, if it is not there yet. Fails with EINVAL before Linux 6.6.
  [[nodiscard]] Result<void> attach(unsigned interface_index);
  /// Takes the packets of these and no others.
  [[nodiscard]] Result<void> set_endpoints(std::vector<BypassEndpoints> endpoints);
  [[nodiscard]] bool covers(const BypassEndpoints& endpoints) const noexcept;

 private:
  BypassProgram() = default;

  Fd set_;
  Fd program_;
  std::vector<BypassEndpoints> endpoints_;  ///< sorted
  TcxLinks links_{TcxHook::ingress};
};

}  // namespace culvert::io
