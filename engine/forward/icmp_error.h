// ICMP errors to inner sources. The engine originates errors for packets that it does not forward
// (RFC 4213 3.2, RFC 4443 3.1 and 3.2, RFC 1191), and relays ICMPv4 errors about its outer packets
// (RFC 4213 3.4, RFC 2473 8). Both are rate-limited (RFC 4443 2.4(f)), and never answer the packets
// of RFC 4443 2.4(e). One worker's thread; no allocation, no clock.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "engine/drop_reason.h"
#include "engine/model/packet_meta.h"
#include "engine/model/token_bucket.h"
#include "engine/tables/tables.h"
#include "engine/tables/tunnel.h"

namespace culvert {

/// Rate limit of ICMP errors. RFC 4443 2.4(f) suggests B = 10, N = 10 a second; a tunnel endpoint
/// stands for many hosts, so our limits are higher.
class ErrorLimiter {
 public:
  static constexpr std::uint32_t kBurst = 50, kPerSecond = 100;
  [[nodiscard]] bool allow(Time now) noexcept;

 private:
  TokenBucket bucket_;
};

/// Buffer for one error that we build: a complete IPv6 or IPv4 packet.
using ErrorBuffer = std::array<std::byte, 1280>;

/// Builds the ICMP error that reports `mtu_bytes` to the sender of an inner packet: ICMPv6 Packet
/// Too Big with an MTU of at least 1,280, or ICMPv4 fragmentation needed. `bytes`: the packet that
/// `meta` describes. The error's source is `source` (IcmpRules::source), else the packet's
/// destination. For IPv4 it is always the destination, because a kernel drops packets that arrive
/// with its own source address. Returns the error in `buffer`, from its IP header on; empty if the
/// packet must not be answered or has no IP header.
[[nodiscard]] std::span<const std::byte> answer_too_big(
    ErrorBuffer& buffer, const std::optional<proto::Ipv6Address>& source, const Tunnel& tunnel,
    const PacketMeta& meta, std::span<const std::byte> bytes, std::uint16_t mtu_bytes) noexcept;

/// The destination unreachable codes for a drop reason: "no route" if no tunnel leads to the
/// destination, "address unreachable" if the tunnel has no known remote endpoint or the packet came
/// from it (a point-to-point link, where RFC 4443 3.1 demands code 3). nullopt: such
/// packets are not answered. RFC 4443 3.1, RFC 792.
struct Unreachable {
  std::uint8_t icmpv6_code = 0;
  std::uint8_t icmpv4_code = 0;
};
[[nodiscard]] std::optional<Unreachable> unreachable_for(DropReason reason) noexcept;

/// Builds destination unreachable for the sender of an inner packet, as answer_too_big() does. Also
/// empty if the packet was sent to a multicast address (RFC 4443 2.4(e.3)).
[[nodiscard]] std::span<const std::byte> answer_unreachable(
    ErrorBuffer& buffer, const std::optional<proto::Ipv6Address>& source, const PacketMeta& meta,
    std::span<const std::byte> bytes, const Unreachable& unreachable) noexcept;

/// The result of relay_error().
struct Relay {
  DropReason reason = DropReason::none;  ///< not none: no error is relayed
  const Tunnel* tunnel = nullptr;        ///< the tunnel that sent the quoted packet
  /// New path MTU in bytes, smaller than the current one; 0: none. May be set even if no error is
  /// relayed.
  std::uint16_t learned_path_mtu = 0;
  bool is_time_exceeded = false;  ///< the outer TTL was too small for the path
  bool is_below_minimum = false;  ///< reports a path MTU below IcmpRules::min_pmtu
  /// The ICMPv6 or ICMPv4 error for the inner source, in `buffer`.
  std::span<const std::byte> packet{};
};

/// Processes an ICMPv4 error about an outer packet. `message`: a complete IPv4 packet with the
/// error; untrusted.
///
/// Errors are easily forged (RFC 5927 for TCP), so the quoted packet must be one that we can have
/// sent: protocol and addresses of a tunnel, its encapsulation header and key as far as they are
/// quoted, at least 8 bytes of these (RFC 792), a total length that fits the length of the inner
/// packet and is allowed by the MTU of the route or of the device. For fragmentation needed, the path
/// MTU is that of the error, or the next lower plateau below the quoted total length if the error says
/// 0. It is ignored unless it is smaller than the quoted packet (RFC 1191 4: stale, or from an
/// attacker). Less than IcmpRules::min_pmtu is
/// not believed: that is learned instead, as Linux does. Nothing is learned for a tunnel with
/// `remote any`, which has many paths.
///
/// If enough of the inner packet is quoted, the error is relayed: fragmentation needed as Packet
/// Too Big or fragmentation needed with the resulting tunnel MTU; every other error as ICMPv6
/// destination unreachable code 3, or ICMPv4 host unreachable.
[[nodiscard]] Relay relay_error(ErrorBuffer& buffer, const Tables& tables,
                                std::span<const std::byte> message) noexcept;

}  // namespace culvert
