// A tunnel as the workers see it: its configuration, what follows from it, and the path to the
// remote endpoint. Immutable but for the path, which the house-keeping of the first worker writes
// and every worker reads; it is never written on a packet's way.
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <chrono>
#include <cstdint>
#include <memory>

#include "engine/config.h"
#include "engine/tables/source_filter.h"
#include "io/next_hop.h"
#include "proto/ipv4.h"
#include "proto/ipv6.h"

namespace culvert {

using Time = std::chrono::steady_clock::time_point;

/// An address that one thread writes and others read. Kept as a number: clang calls a library for
/// an atomic type whose alignment is less than its size.
class AtomicIpv4Address {
 public:
  [[nodiscard]] proto::Ipv4Address load(std::memory_order order) const noexcept {
    return std::bit_cast<proto::Ipv4Address>(value_.load(order));
  }
  void store(proto::Ipv4Address address, std::memory_order order) noexcept {
    value_.store(std::bit_cast<std::uint32_t>(address), order);
  }
  AtomicIpv4Address& operator=(proto::Ipv4Address address) noexcept {
    store(address, std::memory_order_seq_cst);
    return *this;
  }

 private:
  std::atomic<std::uint32_t> value_{0};
};

/// What is known of the way to a remote endpoint. Relaxed throughout: the values stand alone. All
/// read it for each packet, so it is written only where something changes.
struct Path {
  AtomicIpv4Address local;                     ///< source of outer packets; 0.0.0.0: none, no route
  std::atomic<std::uint16_t> route_mtu{1500};  ///< bytes, as the kernel's route says
  std::atomic<std::uint16_t> learned_mtu{
      0};  ///< bytes, from fragmentation needed (RFC 1191); 0: nothing
  /// Of `dev`, as it was when last seen: outer packets leave by it, and come by it alone. 0: there
  /// is no `dev`.
  std::atomic<std::uint32_t> interface_index{0};
  std::atomic<Time::rep> learned_until{0};  ///< RFC 1191 6.3: forgotten after ten minutes
  io::AtomicNextHop next_hop;               ///< nothing: packets go by the kernel's route

  /// The path MTU in bytes, outer header included.
  [[nodiscard]] std::uint16_t mtu() const noexcept {
    const auto route = route_mtu.load(std::memory_order_relaxed);
    const auto learned = learned_mtu.load(std::memory_order_relaxed);
    return learned != 0 && learned < route ? learned : route;
  }
};

/// One tunnel. Its index is its slot: its place in Tables::slots() and in each worker's records, as
/// long as its name lives.
struct Tunnel {
  TunnelConfig config{};
  std::uint32_t index = 0;
  std::uint8_t ip_protocol = 0;           ///< of the outer header
  std::uint16_t encapsulation_bytes = 0;  ///< between outer header and payload packet
  std::uint16_t device_mtu = 0;
  bool has_constant_header = false;  ///< of the encapsulation: the same for all segments
  std::shared_ptr<Path> path{};
  std::shared_ptr<const SourceTables> sources{};  ///< what accepts_source() looks into

  /// Everything in front of the payload packet: outer header and encapsulation.
  [[nodiscard]] std::uint16_t overhead_bytes() const noexcept {
    return static_cast<std::uint16_t>(proto::kIpv4HeaderBytes + encapsulation_bytes);
  }
};

/// How packets of one IP version fit a tunnel at this moment. RFC 4213 3.2.1, 3.2.2; RFC 7676 3.3.
struct Fit {
  std::uint16_t mtu_bytes = 0;  ///< larger inner packets do not fit: their sender is told this
  bool dont_fragment = false;   ///< DF of the outer header
  std::uint16_t outer_mtu_bytes =
      0;  ///< outer packets above it are fragmented by us (only with DF clear)
};
/// `path`: the path MTU in bytes, outer header included.
[[nodiscard]] inline Fit fit_ipv6(const Tunnel& tunnel, std::uint16_t path) noexcept {
  if (!tunnel.config.pmtudisc) return {tunnel.device_mtu, false, path};
  const int room = path - tunnel.overhead_bytes();
  if (room < proto::kIpv6MinimumMtu) return {proto::kIpv6MinimumMtu, false, path};
  return {std::min(static_cast<std::uint16_t>(room), tunnel.device_mtu), true, path};
}
/// IPv4 has no floor of 1,280 bytes: what has DF set and does not fit is answered, the rest is cut
/// before it is encapsulated, as a router would.
[[nodiscard]] inline Fit fit_ipv4(const Tunnel& tunnel, std::uint16_t path) noexcept {
  if (!tunnel.config.pmtudisc) return {tunnel.device_mtu, false, path};
  const int room =
      std::max(path - tunnel.overhead_bytes(), 68);  // RFC 791 3.2: every link carries 68
  return {std::min(static_cast<std::uint16_t>(room), tunnel.device_mtu), true, path};
}

[[nodiscard]] inline Fit fit_ipv6(const Tunnel& tunnel) noexcept {
  return fit_ipv6(tunnel, tunnel.path->mtu());
}
[[nodiscard]] inline Fit fit_ipv4(const Tunnel& tunnel) noexcept {
  return fit_ipv4(tunnel, tunnel.path->mtu());
}

/// What one worker remembers of one tunnel; its thread alone touches it.
struct TunnelState {
  std::uint32_t next_sequence = 0;            ///< RFC 2890 2.2: the first sent is 0
  std::uint32_t last_sequence = 0xffff'ffff;  ///< RFC 2890 2.2: initially 2^32 - 1
  std::uint16_t next_identification = 0;      ///< of outer packets with DF clear: RFC 6864 4
};

}  // namespace culvert
