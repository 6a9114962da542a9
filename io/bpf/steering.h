// Which queue of a TUN device a packet takes. By itself the kernel learns that from what is
// written: a flow goes to the queue on which its other direction came last, so it moves when the
// first such packet comes in on another worker, and then a later packet may overtake an earlier
// one. A program of ours chooses by the flow alone, from its first packet on.
#pragma once

#include <cstdint>
#include <vector>

#include "io/bpf/bpf.h"
#include "io/result.h"
#include "io/tun.h"

namespace culvert::io {

/// Has each flow stay on one queue of `tun`: addresses, and ports of TCP and UDP, are hashed with a
/// random seed, so that nobody outside can have all flows meet on one queue. Fragments and what has
/// extension headers or options go by their addresses alone, so the fragments of a packet stay
/// together. Fails where bpf() is refused, as in most containers (EPERM), and before Linux 4.16;
/// the kernel's way stays in force then.
[[nodiscard]] Result<void> steer_by_flow(const Tun& tun);

/// The program: a hash of the flow whose IPv6 or IPv4 packet it is given, else `seed`.
[[nodiscard]] std::vector<bpf_insn> steering_program(std::uint64_t seed);

}  // namespace culvert::io
