// The reference: a tunnel as such tools are usually written. IPv6 in IPv4, one packet a system
// call, a thread each way that sleeps when there is nothing; no offloads. Its sockets are those of
// culvert: AF_PACKET in, raw IPv4 out.
#pragma once

#include "bench/e2e/links.h"
#include "io/result.h"

namespace culvert::bench {

/// Creates the TUN device `name` and forwards until the process ends. For a child process.
[[nodiscard]] Result<void> run_single(const std::string& name, const TunnelEndpoints& ends);

}  // namespace culvert::bench
