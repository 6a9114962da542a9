// Rig: two namespaces for one tunnel, joined by a veth pair that acts like a cable.
//
//     namespace a                                        namespace b
//     fd00:c::1 [tunnel] 192.0.2.1 ---- wire ---- 192.0.2.2 [tunnel] fd00:c::2
//     10.0.0.1                                                       10.0.0.2     if IPv4 is inside
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "bench/e2e/namespace.h"
#include "io/result.h"
#include "proto/address.h"

namespace culvert::bench {

inline constexpr std::size_t kEnds = 2;
inline constexpr std::array<char, kEnds> kEndNames{'a', 'b'};
inline constexpr char kWire[] = "wire", kTunnelDevice[] = "tunnel";
inline constexpr std::uint16_t kWireMtuBytes = 1500;

[[nodiscard]] proto::Ipv4Prefix outer_address(std::size_t end);

/// The TX counters of a device.
struct SentCount {
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
};
[[nodiscard]] SentCount count_sent(const Namespace& where, const std::string& device);

struct Rig {
  std::array<Namespace, kEnds> ends;

  /// Sets everything up except the tunnel. All offloads of the wire are off. The TCP buffer sizes
  /// are those of Debian, so that figures of two machines can be compared. TCP connections do not
  /// inherit metrics of earlier connections. Every group may open a ping socket (Echo).
  [[nodiscard]] static Result<Rig> build();
};

}  // namespace culvert::bench
