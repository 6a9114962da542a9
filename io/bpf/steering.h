// Steering: which queue of a TUN device an outbound packet is read from.
//
// The kernel's default learns the queue from writes: it delivers a flow to the queue on which the
// flow's other direction was last written. The flow moves when another worker writes its first
// inbound packet, and then packets may overtake each other. Our BPF program selects the queue by
// the flow alone, from the flow's first packet on. Set-up; any thread.
#pragma once

#include <cstdint>
#include <vector>

#include "io/bpf/bpf.h"
#include "io/result.h"
#include "io/tun.h"

namespace culvert::io {

/// Keeps each flow on one queue of `tun`. The program hashes addresses and TCP or UDP ports with a
/// random seed, so that a remote sender cannot direct all its flows to one queue. For fragments and
/// for packets with options or extension headers it hashes the addresses alone, so the fragments of
/// a packet stay together. Fails where bpf() is refused, as in most containers (EPERM), and before
/// Linux 4.16 (EINVAL); then the kernel's default remains.
[[nodiscard]] Result<void> steer_by_flow(const Tun& tun);

/// The program of a device with this link type. It returns a hash of the flow of an IPv6 or IPv4
/// packet, and `seed` for any other packet, such as an Ethernet frame with a VLAN tag. The kernel
/// selects the queue by the remainder.
[[nodiscard]] std::vector<bpf_insn> steering_program(std::uint64_t seed, proto::LinkType link_type);

}  // namespace culvert::io
