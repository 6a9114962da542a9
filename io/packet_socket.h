// AF_PACKET sockets that receive outer packets: a fan-out group by inner flow, one member a worker,
// with virtio-net headers, so that what the NIC has coalesced comes with its segment size
// (packet(7)).
//
// They tap before netfilter INPUT: firewall rules for protocols 41 and 47 do not apply to what they
// receive.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "io/fd.h"
#include "io/result.h"

namespace culvert::io {

struct PacketSocketOptions {
  std::vector<std::uint8_t> protocols;  ///< IP protocols that a classic BPF filter lets through
  std::string interface;                ///< only packets of this interface; empty: of all
};

/// Opens `count` sockets in one fan-out group: PACKET_FANOUT_HASH if they are several (the kernel's
/// flow dissector hashes the inner flow of 6in4 and GRE, keyed or not), a group number of its own
/// (PACKET_FANOUT_FLAG_UNIQUEID), outer fragments reassembled by the kernel within its own bounds
/// of memory and time (ipfrag_high_thresh, ipfrag_time; PACKET_FANOUT_FLAG_DEFRAG). Only packets to
/// this host (PACKET_HOST) pass the filter, and those that a BypassProgram has taken.
[[nodiscard]] Result<std::vector<Fd>> open_packet_sockets(const PacketSocketOptions& options,
                                                          std::size_t count);

/// A packet socket that sends whole Ethernet frames, each behind a virtio-net header, by the
/// interface that its address names. It receives nothing. Its frames pass the interface's queueing
/// discipline and tc programs, but neither routing, netfilter, IPsec policies nor cgroup programs.
/// Send buffer as that of raw sockets.
[[nodiscard]] Result<Fd> open_packet_send_socket();
/// What tells a socket from all others (SO_COOKIE).
[[nodiscard]] std::uint64_t socket_cookie(const Fd& socket) noexcept;

}  // namespace culvert::io
