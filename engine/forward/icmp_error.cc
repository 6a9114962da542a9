#include "engine/forward/icmp_error.h"

#include <algorithm>

#include "engine/model/encapsulations.h"
#include "proto/byte_order.h"
#include "proto/icmpv4.h"
#include "proto/icmpv6.h"
#include "proto/ipv6.h"
#include "proto/tcp_fields.h"

namespace culvert {
namespace {

using Bytes = std::span<const std::byte>;

/// The configured source address: Tables::icmp_source().
using ConfiguredSource = std::optional<proto::Ipv6Address>;

/// The source of an ICMPv6 error about a packet to `destination`; unspecified: there is none.
proto::Ipv6Address error_source(const ConfiguredSource& configured, const Tunnel& tunnel,
                                const proto::Ipv6Address& destination) noexcept {
  if (configured) return *configured;
  if (!destination.is_multicast()) return destination;
  // Packet Too Big also answers multicast packets (RFC 4443 2.4(e.3)), from a unicast address
  // (2.2).
  const auto local = tunnel.path->local.load(std::memory_order_relaxed);
  return local.is_unspecified() ? proto::Ipv6Address{} : proto::tunnel_link_local(local);
}

/// Type, code and MTU of an error.
struct Message {
  std::uint8_t type = 0;
  std::uint8_t code = 0;
  std::uint16_t mtu_bytes = 0;
};

Bytes build(ErrorBuffer& buffer, const proto::Ipv6Address& source,
            const proto::Ipv6Packet& offending, const Message& message) noexcept {
  if (source.is_unspecified()) return {};
  if (!proto::may_answer_with_icmpv6_error(offending, message.type)) return {};
  return Bytes{buffer}.first(proto::build_icmpv6_error(buffer, source, offending.source,
                                                       message.type, message.code,
                                                       message.mtu_bytes, offending.bytes));
}

Bytes build(ErrorBuffer& buffer, const proto::Ipv4Packet& offending,
            const Message& message) noexcept {
  if (!proto::may_answer_with_icmpv4_error(offending)) return {};
  return Bytes{buffer}.first(proto::build_icmpv4_error(buffer, offending.destination,
                                                       offending.source, message.type, message.code,
                                                       message.mtu_bytes, offending.bytes));
}

bool is_fragmentation_needed(const proto::Icmpv4Error& error) noexcept {
  return error.type == proto::kIcmpv4DestinationUnreachable &&
         error.code == proto::kIcmpv4CodeFragmentationNeeded;
}

/// Decapsulates a quoted outer packet.
proto::Parsed<proto::Payload> quoted_payload(const proto::Ipv4Packet& outer) noexcept {
  if (outer.fragment_offset_bytes != 0) return Unexpected{proto::Malformed::truncated};
  // The quote is truncated, so its checksum cannot be verified.
  return decapsulate(outer.protocol, outer.payload, proto::ChecksumCheck::already_verified);
}

/// Returns the tunnel that sent the quoted packet, as far as the quote shows. Null: none of ours.
const Tunnel* find_sender(const Tables& tables, const proto::Ipv4Packet& outer,
                          const proto::Parsed<proto::Payload>& payload) noexcept {
  if (!payload && payload.error() != proto::Malformed::truncated) return nullptr;
  const auto key = payload ? std::optional{payload->key} : std::nullopt;
  const Tunnel* tunnel = tables.find_sender(outer.protocol, outer.source, outer.destination, key);
  if (tunnel == nullptr || !payload) return tunnel;
  const auto header_bytes = payload->packet.data() - outer.payload.data();
  return header_bytes == tunnel->encapsulation_bytes ? tunnel : nullptr;
}

/// A redirect concerns us and our router; source quench is obsolete (RFC 6633 3).
bool concerns_inner_source(const proto::Icmpv4Error& error) noexcept {
  return error.type != proto::kIcmpv4Redirect && error.type != proto::kIcmpv4SourceQuench;
}

/// The path MTU that a fragmentation needed error reports; 0: none that is plausible. RFC 1191 3,
/// 4, 5.
std::uint16_t reported_path_mtu(const proto::Icmpv4Error& error,
                                std::uint16_t sent_bytes) noexcept {
  const std::uint16_t reported = error.next_hop_mtu_bytes != 0
                                     ? error.next_hop_mtu_bytes
                                     : proto::next_lower_plateau(sent_bytes);
  const std::uint16_t bounded = std::max(reported, proto::kIpv4MinimumMtu);
  return bounded < sent_bytes ? bounded : std::uint16_t{0};
}

/// The error for the inner source, or the reason why none is sent.
struct Relayed {
  DropReason reason = DropReason::none;
  Bytes packet;
};

Relayed relay_ipv6(ErrorBuffer& buffer, const ConfiguredSource& configured, const Tunnel& tunnel,
                   Bytes quoted, bool is_too_big, std::uint16_t path_mtu) noexcept {
  const auto inner = proto::parse_quoted_ipv6(quoted);
  if (!inner) {
    return {inner.error() == proto::Malformed::truncated ? DropReason::icmp_error_quotes_too_little
                                                         : DropReason::icmp_error_not_ours,
            {}};
  }
  const std::size_t size =
      proto::kIpv6HeaderBytes + proto::load_be16(inner->bytes, proto::kIpv6PayloadLengthOffset);
  Message message{proto::kIcmpv6DestinationUnreachable, proto::kIcmpv6CodeAddressUnreachable, 0};
  if (is_too_big) {
    const auto mtu_bytes = fit_ipv6(tunnel, path_mtu).mtu_bytes;
    if (size <= mtu_bytes) return {DropReason::icmp_error_not_relayed, {}};
    message = {proto::kIcmpv6PacketTooBig, 0, mtu_bytes};
  }
  const auto source = error_source(configured, tunnel, inner->destination);
  const Bytes packet = build(buffer, source, *inner, message);
  return {packet.empty() ? DropReason::icmp_error_not_answerable : DropReason::none, packet};
}

Relayed relay_ipv4(ErrorBuffer& buffer, const Tunnel& tunnel, Bytes quoted, bool is_too_big,
                   std::uint16_t path_mtu) noexcept {
  const auto inner = proto::parse_quoted_ipv4(quoted);
  if (!inner) {
    return {inner.error() == proto::Malformed::truncated ? DropReason::icmp_error_quotes_too_little
                                                         : DropReason::icmp_error_not_ours,
            {}};
  }
  const std::size_t size = proto::load_be16(inner->bytes, proto::kIpv4TotalLengthOffset);
  Message message{proto::kIcmpv4DestinationUnreachable, proto::kIcmpv4CodeHost, 0};
  if (is_too_big) {
    const auto mtu_bytes = fit_ipv4(tunnel, path_mtu, inner->dont_fragment).mtu_bytes;
    // With DF clear we fragment from now on, and the sender could change nothing.
    if (size <= mtu_bytes || !inner->dont_fragment) return {DropReason::icmp_error_not_relayed, {}};
    message = {proto::kIcmpv4DestinationUnreachable, proto::kIcmpv4CodeFragmentationNeeded,
               mtu_bytes};
  }
  const Bytes packet = build(buffer, *inner, message);
  return {packet.empty() ? DropReason::icmp_error_not_answerable : DropReason::none, packet};
}

}  // namespace

bool ErrorLimiter::allow(Time now) noexcept { return bucket_.allow({kPerSecond, kBurst}, now); }

std::span<const std::byte> answer_too_big(ErrorBuffer& buffer, const ConfiguredSource& source,
                                          const Tunnel& tunnel, Bytes inner,
                                          std::uint16_t mtu_bytes) noexcept {
  if (inner.empty()) return {};
  if (proto::ip_version(inner) == 6) {
    const auto ipv6 = proto::parse_ipv6(inner);
    if (!ipv6) return {};
    const auto least = std::max(mtu_bytes, proto::kIpv6MinimumMtu);  // RFC 4213 3.2.2
    return build(buffer, error_source(source, tunnel, ipv6->destination), *ipv6,
                 {proto::kIcmpv6PacketTooBig, 0, least});
  }
  const auto ipv4 = proto::parse_ipv4(inner);
  if (!ipv4) return {};
  return build(buffer, *ipv4,
               {proto::kIcmpv4DestinationUnreachable, proto::kIcmpv4CodeFragmentationNeeded,
                std::max(mtu_bytes, proto::kIpv4MinimumMtu)});
}

std::optional<Unreachable> unreachable_for(DropReason reason) noexcept {
  switch (reason) {
    case DropReason::no_tunnel_for_destination:
    case DropReason::outbound_tunnel_down:
      return Unreachable{proto::kIcmpv6CodeNoRoute, proto::kIcmpv4CodeNet};
    case DropReason::remote_unknown:
      return Unreachable{proto::kIcmpv6CodeAddressUnreachable, proto::kIcmpv4CodeHost};
    default:
      return std::nullopt;
  }
}

std::span<const std::byte> answer_unreachable(ErrorBuffer& buffer, const ConfiguredSource& source,
                                              Bytes inner,
                                              const Unreachable& unreachable) noexcept {
  if (inner.empty()) return {};
  if (proto::ip_version(inner) == 6) {
    const auto ipv6 = proto::parse_ipv6(inner);
    if (!ipv6 || ipv6->destination.is_multicast()) return {};
    return build(buffer, source.value_or(ipv6->destination), *ipv6,
                 {proto::kIcmpv6DestinationUnreachable, unreachable.icmpv6_code, 0});
  }
  const auto ipv4 = proto::parse_ipv4(inner);
  if (!ipv4) return {};
  return build(buffer, *ipv4, {proto::kIcmpv4DestinationUnreachable, unreachable.icmpv4_code, 0});
}

Relay relay_error(ErrorBuffer& buffer, const Tables& tables, Bytes message) noexcept {
  const auto drop = [](DropReason reason, const Tunnel* tunnel = nullptr) {
    return Relay{.reason = reason, .tunnel = tunnel};
  };
  const auto ipv4 = proto::parse_ipv4(message);
  if (!ipv4 || ipv4->protocol != proto::kProtocolIcmp || ipv4->is_fragment()) {
    return drop(DropReason::icmp_error_malformed);
  }
  const auto error = proto::parse_icmpv4_error(ipv4->payload);
  if (!error) return drop(DropReason::icmp_error_malformed);
  const auto outer = proto::parse_quoted_ipv4(error->quoted);
  if (!outer) return drop(DropReason::icmp_error_malformed);
  const auto payload = quoted_payload(*outer);
  const Tunnel* tunnel = find_sender(tables, *outer, payload);
  if (tunnel == nullptr) return drop(DropReason::icmp_error_not_ours);
  if (!concerns_inner_source(*error)) return drop(DropReason::icmp_error_not_relayed, tunnel);

  Relay relay{.tunnel = tunnel};
  const bool is_too_big = is_fragmentation_needed(*error);
  std::uint16_t path_mtu = tunnel->path->mtu();
  if (is_too_big) {
    const auto reported =
        reported_path_mtu(*error, proto::load_be16(outer->bytes, proto::kIpv4TotalLengthOffset));
    if (reported == 0) return drop(DropReason::icmp_error_not_relayed, tunnel);
    // An error must not raise the estimate (RFC 1191 3): this one is about an earlier, larger
    // packet.
    if (reported < path_mtu) {
      path_mtu = reported;
      if (tunnel->config.remote.is_fixed()) relay.learned_path_mtu = reported;
    }
  }
  const auto relayed =
      !payload ? Relayed{DropReason::icmp_error_quotes_too_little, {}}
      : payload->protocol_type == proto::kProtocolTypeIpv6
          ? relay_ipv6(buffer, tables.icmp_source(), *tunnel, payload->packet, is_too_big, path_mtu)
          : relay_ipv4(buffer, *tunnel, payload->packet, is_too_big, path_mtu);
  if (relayed.reason == DropReason::icmp_error_not_ours) return drop(relayed.reason);
  relay.reason = relayed.reason;
  relay.packet = relayed.packet;
  return relay;
}

}  // namespace culvert
