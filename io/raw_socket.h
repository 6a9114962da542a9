// Raw IPv4 sockets (raw(7)): they send outer packets, receive them after the firewall's INPUT
// rules, and receive ICMP errors. Set-up only; any thread. All need CAP_NET_RAW (EPERM).
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "io/fd.h"
#include "io/result.h"

namespace culvert::io {

/// Opens a socket that sends whole IPv4 packets (IP_HDRINCL). The kernel fills in source and
/// identification if they are 0, and always the total length and the checksum. The socket receives
/// nothing. Sends ignore the path MTU that the kernel has learned (IP_PMTUDISC_PROBE): the engine
/// decides about DF. Send buffer: 4 MiB if allowed. `device`: bind to this interface; empty: none.
[[nodiscard]] Result<Fd> open_raw_send_socket(const std::string& device);

/// Opens a socket that receives the packets of one IP protocol, each with its interface
/// (IP_PKTINFO). Receive buffer: 8 MiB if allowed, since the kernel answers protocol unreachable
/// when the buffer is full. `device`: receive only from this interface; empty: from all.
[[nodiscard]] Result<Fd> open_raw_receive_socket(std::uint8_t protocol, const std::string& device);

/// Opens a socket whose filter drops all packets of one IP protocol. While it is open the kernel
/// does not answer protocol unreachable: neither for packets that only a packet socket receives,
/// nor when the buffer of the receiving raw socket is full.
[[nodiscard]] Result<Fd> open_raw_guard_socket(std::uint8_t protocol);

/// Opens a socket that receives only ICMPv4 errors (types 3, 11, 12) which quote a packet of one of
/// these IP protocols (ICMP_FILTER and a classic BPF filter).
[[nodiscard]] Result<Fd> open_icmp_socket(std::span<const std::uint8_t> protocols);

}  // namespace culvert::io
