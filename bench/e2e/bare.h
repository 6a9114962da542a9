// The limit: what a tunnel in user space can do at best on this machine. The system calls of
// culvert with nothing in between: no check, no counter, no table, no checksum; one next hop, known
// from the start; IPv6 in IPv4, one thread. What it does beside them it cannot do without:
//
//     out   read TUN until it is empty > a fixed outer header in front > sendmmsg by a packet
//           socket; what is super-packets the kernel encapsulates and cuts (EncapsulatorProgram)
//     in    recvmmsg of what the BypassProgram has taken > strip > join neighbours > writev to TUN
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
