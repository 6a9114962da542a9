// A tunnel as the workers use it: its configuration, values derived from it, and the path to the
// remote endpoint. make_tunnel() makes it. Immutable in the tables, except for the path. Every worker reads the path for every packet; it
// is written on changes only, never on the hot path.
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <chrono>
#include <cstdint>
#include <memory>

#include "engine/config.h"
#include "engine/model/packet_meta.h"
#include "engine/tables/source_filter.h"
#include "io/next_hop.h"
#include "proto/ipv4.h"
#include "proto/ipv6.h"

namespace culvert {

using Time = std::chrono::steady_clock::time_point;

/// An IPv4 address that one thread writes and others read. Stored as a number: for an atomic type
/// whose alignment is less than its size clang calls a library.
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

/// A path MTU learned from ICMPv4 fragmentation needed (RFC 1191), and its expiry. Both are in one
/// word, because two threads write it: the worker that receives ICMP errors learns an MTU while the
/// route refresh drops an expired one. All orders are relaxed: the word stands alone. Any thread.
class LearnedMtu {
 public:
  /// In bytes, outer header included; 0: none learned.
  [[nodiscard]] std::uint16_t load() const noexcept {
    return static_cast<std::uint16_t>(word_.load(std::memory_order_relaxed));
  }
  /// Replaces the MTU. `expiry` is rounded down to milliseconds.
  void learn(std::uint16_t mtu_bytes, Time expiry) noexcept {
    word_.store(milliseconds(expiry) << 16 | mtu_bytes, std::memory_order_relaxed);
  }
  /// Drops the MTU if it has expired, but never one that is learned at the same time.
  void drop_expired(Time now) noexcept {
    std::uint64_t word = word_.load(std::memory_order_relaxed);
    if (word != 0 && word >> 16 <= milliseconds(now))
      word_.compare_exchange_strong(word, 0, std::memory_order_relaxed);
  }

 private:
  static std::uint64_t milliseconds(Time time) noexcept {
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count());
  }

  std::atomic<std::uint64_t> word_{0};  ///< milliseconds of the expiry, then 16 bits of MTU
};

/// The path to a remote endpoint. All accesses are relaxed: each value stands alone. Every worker
/// reads them for each packet, so writers store only changed values.
struct Path {
  /// Source address of outer packets; 0.0.0.0: none, for there is no route.
  AtomicIpv4Address local;
  std::atomic<std::uint16_t> route_mtu{1500};  ///< MTU in bytes of the kernel's route
  /// Index of the interface `dev` at the last route refresh. Outer packets leave by it, and are
  /// received on it alone. 0: `dev` is not set.
  std::atomic<std::uint32_t> interface_index{0};
  LearnedMtu learned_mtu;
  io::AtomicNextHop next_hop;  ///< empty: raw sockets send along the kernel's route

  /// The path MTU in bytes, outer header included.
  [[nodiscard]] std::uint16_t mtu() const noexcept {
    const auto route = route_mtu.load(std::memory_order_relaxed);
    const auto learned = learned_mtu.load();
    return learned != 0 && learned < route ? learned : route;
  }
};

/// One tunnel. `index` is its slot in Tables::slots() and in each worker's TunnelStats, as long as
/// its name exists.
struct Tunnel {
  TunnelConfig config{};
  std::uint32_t index = 0;
  /// The protocol of the outer header of IPv6 and of IPv4 packets; 0: the tunnel does not carry them.
  std::uint8_t ipv6_protocol = 0, ipv4_protocol = 0;
  /// IPv4 packets follow the outer header directly, so RFC 2003 applies to them.
  bool has_ipv4_in_ipv4 = false;
  /// Size of the link-layer header in front of inner packets, without VLAN tags; 0 on TUN.
  std::uint8_t link_header_bytes = 0;
  /// Size of the header between outer header and payload packet.
  std::uint16_t encapsulation_bytes = 0;
  std::uint16_t device_mtu = 0;
  /// How the kernel segments super-packets; none if the headers differ between segments.
  proto::KernelGso gso = proto::KernelGso::none;
  std::shared_ptr<Path> path{};
  /// LPM tables of accepts_source(); null: few prefixes
  std::shared_ptr<const SourceTables> sources{};

  /// The protocol of the outer header of a payload packet; 0: the tunnel does not carry it.
  [[nodiscard]] std::uint8_t ip_protocol(std::uint16_t protocol_type) const noexcept {
    return protocol_type == proto::kProtocolTypeIpv6   ? ipv6_protocol
           : protocol_type == proto::kProtocolTypeIpv4 ? ipv4_protocol
                                                       : std::uint8_t{0};
  }
  /// Returns whether outer packets of this protocol may belong to the tunnel. `protocol`: not 0.
  [[nodiscard]] bool has_ip_protocol(std::uint8_t protocol) const noexcept {
    return ipv6_protocol == protocol || ipv4_protocol == protocol;
  }
  /// Bytes in front of the payload packet: outer header and encapsulation header.
  [[nodiscard]] std::uint16_t overhead_bytes() const noexcept {
    return static_cast<std::uint16_t>(proto::kIpv4HeaderBytes + encapsulation_bytes);
  }
};

/// Makes the tunnel of a valid configuration, in slot 0, with all values that follow from it.
/// `path`: its route MTU limits device_mtu. Null: a new path with an MTU of 1,500 bytes and the
/// configured local address; for `local any` the caller sets Path::local. device_mtu is the MTU in
/// bytes that suits this tunnel: 1280 for a static MTU (RFC 4213 3.2.1), else the largest that fits
/// the route, and at least 1280 if the tunnel can carry IPv6. If the TUN device has another MTU, the
/// caller sets device_mtu. `must_carry_ipv6`: false: device_mtu suits IPv4 alone.
[[nodiscard]] Tunnel make_tunnel(TunnelConfig config, std::shared_ptr<Path> path = nullptr,
                                 bool must_carry_ipv6 = true);

/// The size limits for packets of one IP version at this moment. RFC 4213 3.2.1, 3.2.2; RFC 7676
/// 3.3.
struct Fit {
  /// Tunnel MTU: senders of larger inner packets get this value in an ICMP error.
  std::uint16_t mtu_bytes = 0;
  bool dont_fragment = false;         ///< DF of the outer header
  std::uint16_t outer_mtu_bytes = 0;  ///< With DF clear, we fragment larger outer packets.
};
/// `path`: the path MTU in bytes, outer header included. `link_bytes`: size of the link-layer header
/// in front of the inner packet. Always inline: the copy of a returned Fit stalls (proto/in_place.h).
[[nodiscard, gnu::always_inline]] inline Fit fit_ipv6(const Tunnel& tunnel, std::uint16_t path,
                                                      std::uint16_t link_bytes = 0) noexcept {
  if (!tunnel.config.pmtudisc) return {tunnel.device_mtu, false, path};
  const int room = path - tunnel.overhead_bytes() - link_bytes;
  if (room < proto::kIpv6MinimumMtu) return {proto::kIpv6MinimumMtu, false, path};
  return {std::min(static_cast<std::uint16_t>(room), tunnel.device_mtu), true, path};
}
/// IPv4 has no minimum of 1,280 bytes. Inner packets that do not fit are answered with an ICMP
/// error if DF is set; otherwise they are fragmented before encapsulation, as a router would do.
/// `dont_fragment`: DF of the inner packet. RFC 2003 3.1 has the outer header repeat it, so a static
/// MTU does not apply to it.
[[nodiscard, gnu::always_inline]] inline Fit fit_ipv4(const Tunnel& tunnel, std::uint16_t path,
                                                      bool dont_fragment,
                                                      std::uint16_t link_bytes = 0) noexcept {
  const bool repeats_df = dont_fragment && tunnel.has_ipv4_in_ipv4;
  if (!tunnel.config.pmtudisc && !repeats_df) return {tunnel.device_mtu, false, path};
  const int room =
      std::max(path - tunnel.overhead_bytes() - link_bytes, int{proto::kIpv4MinimumMtu});
  return {std::min(static_cast<std::uint16_t>(room), tunnel.device_mtu), true, path};
}

[[nodiscard]] inline Fit fit_ipv6(const Tunnel& tunnel) noexcept {
  return fit_ipv6(tunnel, tunnel.path->mtu(), tunnel.link_header_bytes);
}
/// The size limits for one packet. They count from its IP header on, as PacketMeta::size_bytes does.
[[nodiscard, gnu::always_inline]] inline Fit fit_packet(const Tunnel& tunnel,
                                                        const PacketMeta& meta,
                                                        std::uint16_t path) noexcept {
  return meta.is_ipv6() ? fit_ipv6(tunnel, path, meta.ip_offset)
                        : fit_ipv4(tunnel, path, !meta.may_be_fragmented, meta.ip_offset);
}
[[nodiscard, gnu::always_inline]] inline Fit fit_packet(const Tunnel& tunnel,
                                                        const PacketMeta& meta) noexcept {
  return fit_packet(tunnel, meta, tunnel.path->mtu());
}

/// One worker's state of one tunnel; only its thread uses it.
struct TunnelState {
  std::uint32_t next_sequence = 0;            ///< RFC 2890 2.2: the first sent is 0
  std::uint32_t last_sequence = 0xffff'ffff;  ///< RFC 2890 2.2: initially 2^32 - 1
  /// The last number of the run of old ones, each newer than the one before it.
  std::uint32_t last_old_sequence = 0;
  std::uint16_t old_in_order = 0;  ///< length of that run; 0: a newer number came last
  /// Identification of outer packets with DF clear: RFC 6864 4.
  std::uint16_t next_identification = 0;
};

}  // namespace culvert
