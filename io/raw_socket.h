// Raw IPv4 sockets: send outer packets, receive them behind the firewall, receive ICMP errors
// (raw(7)).
#pragma once

#include <cstdint>
#include <string>

#include "io/fd.h"
#include "io/result.h"

namespace culvert::io {

/// A socket that sends whole IPv4 packets (IP_HDRINCL; the kernel fills in source and
/// identification where they are 0, and always total length and checksum). It receives nothing.
/// Sends ignore the path MTU that the kernel has learned (IP_PMTUDISC_PROBE): the engine's own
/// rules decide about DF. Send buffer 4 MiB if allowed.
[[nodiscard]] Result<Fd> open_raw_send_socket(const std::string& device);

/// A socket that receives the packets of one IP protocol and tells by which interface each came
/// (IP_PKTINFO). 8 MiB receive buffer if allowed: a full one makes the kernel answer protocol
/// unreachable.
[[nodiscard]] Result<Fd> open_raw_receive_socket(std::uint8_t protocol, const std::string& device);

/// A socket that takes the packets of one IP protocol and drops them: while it is open the kernel
/// answers no protocol unreachable, neither for what a packet socket receives nor when the buffer
/// of the receiving raw socket is full.
[[nodiscard]] Result<Fd> open_raw_guard_socket(std::uint8_t protocol);

/// A socket that receives ICMPv4 errors (types 3, 11, 12) that quote a packet of one of 41 and 47,
/// and nothing else (ICMP_FILTER and a classic BPF filter).
[[nodiscard]] Result<Fd> open_icmp_socket();

}  // namespace culvert::io
