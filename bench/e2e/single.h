// single: the reference, a tunnel of the usual design. IP in IPv4, one packet per system call,
// one thread per direction that sleeps when it is idle, no offloads. It has the same kinds of
// sockets as culvert: AF_PACKET for RX, raw IPv4 for TX.
#pragma once

#include <cstdint>
#include <string>

#include "bench/e2e/links.h"
#include "io/result.h"

namespace culvert::bench {

/// Creates the TUN device `name` and forwards until the process ends. `ip_protocol`: of the outer
/// packets. For a child process.
[[nodiscard]] Result<void> run_single(const std::string& name, const TunnelEndpoints& ends,
                                      std::uint8_t ip_protocol);

}  // namespace culvert::bench
