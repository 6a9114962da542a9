// AF_PACKET sockets that receive outer packets (packet(7)): a PACKET_FANOUT group that distributes
// by inner flow, with one member per worker. Frames have virtio-net headers, so a packet that the
// NIC or the kernel has coalesced (GRO) comes with its segment size. Set-up only; any thread.
//
// The sockets receive before netfilter INPUT: firewall rules for their protocols do not apply
// to the packets that they receive.
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
  std::vector<std::uint8_t> protocols;  ///< IP protocols that the classic BPF filter accepts
  std::string interface;                ///< receive only from this interface; empty: from all
};

/// Opens `count` sockets in one PACKET_FANOUT group. Two or more sockets use PACKET_FANOUT_HASH:
/// the kernel's flow dissector hashes the inner flow of 6in4 and GRE, with or without a key. The
/// kernel selects the group number (PACKET_FANOUT_FLAG_UNIQUEID) and reassembles outer fragments
/// within its limits of memory and time (PACKET_FANOUT_FLAG_DEFRAG; ipfrag_high_thresh,
/// ipfrag_time). The filter accepts packets to this host (PACKET_HOST) and packets that a
/// BypassProgram has marked. Fails with ENODEV if the interface does not exist, ENETDOWN if it is
/// down, EPERM without CAP_NET_RAW.
[[nodiscard]] Result<std::vector<Fd>> open_packet_sockets(const PacketSocketOptions& options,
                                                          std::size_t count);

/// Opens a packet socket that sends whole Ethernet frames, each behind a virtio-net header, to the
/// interface in its address. It receives nothing. Its frames pass the interface's queueing
/// discipline and tc programs, but not routing, netfilter, IPsec policies or cgroup programs. Send
/// buffer: kSendBufferBytes if allowed.
[[nodiscard]] Result<Fd> open_packet_send_socket();
/// The kernel's unique number of a socket (SO_COOKIE); 0 on error.
[[nodiscard]] std::uint64_t socket_cookie(const Fd& socket) noexcept;

}  // namespace culvert::io
