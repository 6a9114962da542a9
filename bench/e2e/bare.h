// bare: the upper limit for a user-space tunnel on this machine. It makes culvert's system calls
// without checks, counters, tables or checksums. It has one next hop, known from the start, IPv6 in
// IPv4, and one thread. It does only the necessary work:
//
//     out   read TUN until it is empty > add a fixed outer header > sendmmsg() with a packet
//           socket; the kernel encapsulates and segments super-packets (EncapsulatorProgram)
//     in    recvmmsg() of packets that the BypassProgram has marked > remove the outer header >
//           join adjacent packets (GRO) > writev() to TUN
#pragma once

#include <string>

#include "bench/e2e/links.h"
#include "io/next_hop.h"
#include "io/result.h"

namespace culvert::bench {

/// Creates the TUN device `name` and forwards until the process ends. For a child process.
[[nodiscard]] Result<void> run_bare(const std::string& name, const TunnelEndpoints& ends,
                                    const io::NextHop& next_hop);

}  // namespace culvert::bench
