// NdpBypassProgram: a BPF program that keeps unicast neighbor discovery for the targets of an NDP
// proxy out of the kernel's IPv6 stack.
//
// A router confirms a neighbor by unicast solicitations (RFC 4861 7.3.3), which are addressed to the
// target itself. To the kernel that is a packet to forward: it sends it to the target with a hop
// limit that makes it invalid, or answers a link-local source with an ICMPv6 error, "beyond scope of
// source address". This program runs at tcx ingress of the soliciting interface (Linux 6.6). It
// marks messages of neighbor discovery with a unicast destination in one of the prefixes, and sets
// their type to PACKET_OTHERHOST, so that IPv6 ignores them. The filter of NdpSocket accepts the
// mark. The program is detached with the last descriptor of its link. Set-up; one thread.
#pragma once

#include <cstdint>
#include <map>

#include "io/bpf/bpf.h"
#include "io/fd.h"
#include "io/result.h"
#include "proto/address.h"

namespace culvert::io {

/// The mark of a bypassed message (__sk_buff.mark).
inline constexpr std::uint32_t kNdpBypassMark = 0x4517'7a4c;

class NdpBypassProgram {
 public:
  /// Limit of prefixes.
  static constexpr std::uint32_t kMaxPrefixes = 65'536;
  /// Whether messages to a prefix bypass the stack. The longest prefix decides.
  using Prefixes = std::map<proto::Ipv6Prefix, bool>;

  /// Loads the program. Fails with EPERM where BPF is forbidden.
  [[nodiscard]] static Result<NdpBypassProgram> open();

  /// Attaches the program to an interface, unless it is attached there, and there alone. Fails with
  /// EINVAL before Linux 6.6.
  [[nodiscard]] Result<void> attach(unsigned interface_index);
  /// Replaces the prefixes, whose host bits are 0. Fails with the error of bpf(); the program's map
  /// may then hold old and new prefixes.
  [[nodiscard]] Result<void> set_prefixes(Prefixes prefixes);

 private:
  NdpBypassProgram() = default;

  Fd map_;
  Fd program_;
  Fd link_;
  Prefixes prefixes_;
};

}  // namespace culvert::io
