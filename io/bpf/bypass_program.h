// BypassProgram: a BPF program that keeps received tunnel packets out of the kernel's IPv4 stack.
//
// A packet socket receives a copy. The kernel goes on with the original: route look-up, netfilter,
// and a copy for the raw guard socket, which drops it. That costs as much as receiving the packet.
// This program runs at tcx ingress of an interface (Linux 6.6). It marks the packets of our tunnels
// and sets their type to PACKET_OTHERHOST, so that IPv4 ignores them. The filter of the packet
// sockets accepts the mark (packet_socket.h). The program is detached with the last descriptor of
// its link.
//
// It bypasses whole IPv4 packets without options between the two endpoints of a tunnel, with the
// tunnel's key, that the encapsulation can decapsulate. All other packets, gretap and outer fragments
// among them, go through the stack, where raw sockets of other programs receive them. Set-up; one
// thread.
#pragma once

#include <compare>
#include <cstdint>
#include <span>
#include <vector>

#include "io/bpf/bpf.h"
#include "io/fd.h"
#include "io/result.h"
#include "proto/address.h"
#include "proto/demux.h"

namespace culvert::io {

/// A tunnel whose packets bypass the stack. The layout is that of the keys in the program's map.
struct BypassEndpoints {
  proto::Ipv4Address remote;   ///< outer source
  proto::Ipv4Address local;    ///< outer destination
  std::uint32_t protocol = 0;  ///< protocol field of the outer header
  std::uint32_t key = 0;       ///< key of the tunnel, host byte order; 0 without has_key
  std::uint32_t has_key = 0;   ///< 1: packets must have this key; 0: they must have none
  friend auto operator<=>(const BypassEndpoints&, const BypassEndpoints&) = default;
};
static_assert(sizeof(BypassEndpoints) == 20);

/// The mark of a bypassed packet (__sk_buff.mark).
inline constexpr std::uint32_t kBypassMark = 0x4517'7a4b;

class BypassProgram {
 public:
  /// Loads the program, with a map for `endpoints` endpoints. `rules`: where the packets of each
  /// protocol have their key. Fails with EPERM where BPF is forbidden.
  [[nodiscard]] static Result<BypassProgram> open(std::span<const proto::DemuxRule> rules,
                                                  std::size_t endpoints);

  /// Attaches the program to an interface, unless it is attached there. Fails with EINVAL before
  /// Linux 6.6.
  [[nodiscard]] Result<void> attach(unsigned interface_index);
  /// Replaces the set of tunnels whose packets bypass the stack. Fails with the error of bpf(); the
  /// program's map may then hold old and new endpoints.
  [[nodiscard]] Result<void> set_endpoints(std::vector<BypassEndpoints> endpoints);
  /// Whether the packets of this tunnel bypass the stack.
  [[nodiscard]] bool covers(const BypassEndpoints& endpoints) const noexcept;

 private:
  BypassProgram() = default;

  Fd set_;
  Fd program_;
  std::vector<BypassEndpoints> endpoints_;  ///< sorted
  TcxLinks links_{TcxHook::ingress};
};

}  // namespace culvert::io
