// ICMP errors: those we originate towards the inner source because a packet does not fit (RFC
// 4213 3.2, RFC 4443 3.2, RFC 1191), and the ICMPv4 errors about our outer packets that we relay
// inward (RFC 4213 3.4, RFC 2473 8). Rate-limited (RFC 4443 2.4(f)), and never in answer to what
// RFC 4443 2.4(e) names. One worker's thread; no allocation, no clock.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "engine/drop_reason.h"
#include "engine/model/token_bucket.h"
#include "engine/tables/tables.h"
#include "engine/tables/tunnel.h"

namespace culvert {

/// A token bucket. RFC 4443 2.4(f) gives B = 10, N = 10 a second as an example; a tunnel end stands
/// for many hosts, so ours is larger.
class ErrorLimiter {
 public:
  static constexpr std::uint32_t kBurst = 50, kPerSecond = 100;
  [[nodiscard]] bool allow(Time now) noexcept;

 private:
  TokenBucket bucket_;
};

/// Room for one error message that we build: a whole IPv6 or IPv4 packet.
using ErrorBuffer = std::array<std::byte, 1280>;

/// Tells the sender of `inner` (IPv6 or IPv4, as it came from TUN) that it does not fit in
/// `mtu_bytes`: ICMPv6 Packet Too Big (MTU never below 1,280), or ICMPv4 fragmentation needed.
/// It comes from `source` (Tables::icmp_source()), else from the packet's destination; for IPv4
/// always from the latter, since a kernel drops what comes in with its own source address. Returns
/// the packet in `buffer`, empty if it may not be answered.
[[nodiscard]] std::span<const std::byte> answer_too_big(
    ErrorBuffer& buffer, const std::optional<proto::Ipv6Address>& source, const Tunnel& tunnel,
    std::span<const std::byte> inner, std::uint16_t mtu_bytes) noexcept;

/// What to say of a packet that was not sent for `reason`: no route to its destination where no
/// tunnel is for it, address unreachable where the tunnel knows no remote. Nothing: it is not
/// answered. RFC 4443 3.1, RFC 792.
struct Unreachable {
  std::uint8_t icmpv6_code = 0;
  std::uint8_t icmpv4_code = 0;
};
[[nodiscard]] std::optional<Unreachable> unreachable_for(DropReason reason) noexcept;

/// Tells the sender of `inner`, as answer_too_big() does. Empty also for what went to a multicast
/// address (RFC 4443 2.4(e.3)).
[[nodiscard]] std::span<const std::byte> answer_unreachable(
    ErrorBuffer& buffer, const std::optional<proto::Ipv6Address>& source,
    std::span<const std::byte> inner, const Unreachable& unreachable) noexcept;

/// What an ICMPv4 error about one of our outer packets means for us and for the inner source.
struct Relay {
  DropReason reason = DropReason::none;  ///< set: nothing is sent inward
  const Tunnel* tunnel = nullptr;        ///< whose packet it quotes
  std::uint16_t learned_path_mtu =
      0;  ///< bytes, below what we knew; 0: nothing new. Set also if nothing is sent
  std::span<const std::byte>
      packet{};  ///< in `buffer`: the ICMPv6 or ICMPv4 error for the inner source
};

/// `message`: a whole IPv4 packet with an ICMPv4 error, untrusted. The quoted outer header must be
/// one we could have sent: protocol and address pair of a tunnel (its GRE key, if the quote reaches
/// that far). Fragmentation needed: path MTU of the message, or the next plateau below the quoted
/// total length where it says 0; ignored if it is not smaller than what was sent (RFC 1191 4; an
/// attacker's or stale), never below 68; nothing is learned of a tunnel with `remote any`, which
/// has many paths. Relayed if enough of the inner packet is quoted: as Packet Too Big or
/// fragmentation needed with what the tunnel MTU becomes; everything else as ICMPv6 destination
/// unreachable code 3, or ICMPv4 host unreachable.
[[nodiscard]] Relay relay_error(ErrorBuffer& buffer, const Tables& tables,
                                std::span<const std::byte> message) noexcept;

}  // namespace culvert
