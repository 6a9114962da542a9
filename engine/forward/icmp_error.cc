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
/// `tunnel`: of the packet; null: it has none.
proto::Ipv6Address error_source(const ConfiguredSource& configured, const Tunnel* tunnel,
                                const proto::Ipv6Address& destination) noexcept {
  if (configured) return *configured;
  if (!destination.is_multicast()) return destination;
  if (tunnel == nullptr) return {};
  // Packet Too Big also answers multicast packets (RFC 4443 2.4(e.3)), from a unicast address
  // (2.2).
  const auto local = tunnel->path->local.load(std::memory_order_relaxed);
  return local.is_unspecified() ? proto::Ipv6Address{} : proto::tunnel_link_local(local);
}

/// Type, code and MTU of an error.
struct Message {
  std::uint8_t type = 0;
  std::uint8_t code = 0;
  std::uint16_t mtu_bytes = 0;
};

/// A packet that an error is about: its headers, and its bytes from the IP header on.
struct OffendingPacket {
  PacketMeta meta;
  Bytes ip;

  /// `bytes`: the packet that `packet_meta` describes.
  OffendingPacket(const PacketMeta& packet_meta, Bytes bytes) noexcept
      : meta(packet_meta), ip(meta.ip_bytes(bytes).first(meta.size_bytes)) {}

  /// The size in bytes that the IP header states; an error may quote less.
  [[nodiscard]] std::size_t stated_bytes() const noexcept {
    if (!meta.is_ipv6()) return proto::load_be16(ip, proto::kIpv4TotalLengthOffset);
    return proto::kIpv6HeaderBytes + proto::load_be16(ip, proto::kIpv6PayloadLengthOffset);
  }
};

Message too_big_message(const PacketMeta& meta, std::uint16_t mtu_bytes) noexcept {
  if (meta.is_ipv6())  // RFC 4213 3.2.2
    return {proto::kIcmpv6PacketTooBig, 0, std::max(mtu_bytes, proto::kIpv6MinimumMtu)};
  return {proto::kIcmpv4DestinationUnreachable, proto::kIcmpv4CodeFragmentationNeeded,
          std::max(mtu_bytes, proto::kIpv4MinimumMtu)};
}

Message unreachable_message(const PacketMeta& meta, const Unreachable& unreachable) noexcept {
  if (meta.is_ipv6()) return {proto::kIcmpv6DestinationUnreachable, unreachable.icmpv6_code, 0};
  return {proto::kIcmpv4DestinationUnreachable, unreachable.icmpv4_code, 0};
}

/// `source`: of an ICMPv6 error. An ICMPv4 error has the packet's destination as its source.
Bytes build(ErrorBuffer& buffer, const proto::Ipv6Address& source, Bytes ip,
            const Message& message) noexcept {
  const auto offending = proto::parse_quoted_ipv6(ip);
  if (!offending || source.is_unspecified()) return {};
  if (!proto::may_answer_with_icmpv6_error(*offending, message.type)) return {};
  return Bytes{buffer}.first(proto::build_icmpv6_error(
      buffer, source, offending->source, message.type, message.code, message.mtu_bytes, ip));
}

Bytes build(ErrorBuffer& buffer, Bytes ip, const Message& message) noexcept {
  const auto offending = proto::parse_quoted_ipv4(ip);
  if (!offending || !proto::may_answer_with_icmpv4_error(*offending)) return {};
  return Bytes{buffer}.first(proto::build_icmpv4_error(buffer, offending->destination,
                                                       offending->source, message.type,
                                                       message.code, message.mtu_bytes, ip));
}

/// Builds an error about a packet of a tunnel, or of no tunnel if `tunnel` is null.
Bytes build(ErrorBuffer& buffer, const ConfiguredSource& configured, const Tunnel* tunnel,
            const OffendingPacket& offending, const Message& message) noexcept {
  if (!offending.meta.is_ipv6()) return build(buffer, offending.ip, message);
  const auto destination = proto::ipv6_destination(offending.ip);
  return build(buffer, error_source(configured, tunnel, destination), offending.ip, message);
}

bool is_fragmentation_needed(const proto::Icmpv4Error& error) noexcept {
  return error.type == proto::kIcmpv4DestinationUnreachable &&
         error.code == proto::kIcmpv4CodeFragmentationNeeded;
}

bool is_ttl_exceeded(const proto::Icmpv4Error& error) noexcept {
  return error.type == proto::kIcmpv4TimeExceeded && error.code == 0;  // RFC 792: in transit
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

/// `payload`: of the quoted outer packet. `path_mtu`: as the error reports it, if it `is_too_big`.
Relayed relay_payload(ErrorBuffer& buffer, const ConfiguredSource& configured, const Tunnel& tunnel,
                      const proto::Payload& payload, bool is_too_big,
                      std::uint16_t path_mtu) noexcept {
  if (!is_of_protocol_type(payload.packet, payload.protocol_type))
    return {DropReason::icmp_error_not_ours, {}};
  const PacketMeta meta = classify_quoted(payload.packet);
  if (!meta.has_ip_header()) {
    return {meta.malformed == proto::Malformed::truncated ? DropReason::icmp_error_quotes_too_little
                                                          : DropReason::icmp_error_not_ours,
            {}};
  }
  const OffendingPacket offending(meta, payload.packet);
  Message message =
      unreachable_message(meta, {proto::kIcmpv6CodeAddressUnreachable, proto::kIcmpv4CodeHost});
  if (is_too_big) {
    const auto mtu_bytes = fit_packet(tunnel, meta, path_mtu).mtu_bytes;
    // IPv4 with DF clear is fragmented from now on, and its sender could change nothing.
    if (offending.stated_bytes() <= mtu_bytes || meta.may_be_fragmented)
      return {DropReason::icmp_error_not_relayed, {}};
    message = too_big_message(meta, mtu_bytes);
  }
  const Bytes packet = build(buffer, configured, &tunnel, offending, message);
  return {packet.empty() ? DropReason::icmp_error_not_answerable : DropReason::none, packet};
}

}  // namespace

bool ErrorLimiter::allow(Time now) noexcept { return bucket_.allow({kPerSecond, kBurst}, now); }

std::span<const std::byte> answer_too_big(ErrorBuffer& buffer, const ConfiguredSource& source,
                                          const Tunnel& tunnel, const PacketMeta& meta, Bytes bytes,
                                          std::uint16_t mtu_bytes) noexcept {
  if (!meta.has_ip_header()) return {};
  return build(buffer, source, &tunnel, {meta, bytes}, too_big_message(meta, mtu_bytes));
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
                                              const PacketMeta& meta, Bytes bytes,
                                              const Unreachable& unreachable) noexcept {
  if (!meta.has_ip_header()) return {};
  return build(buffer, source, nullptr, {meta, bytes}, unreachable_message(meta, unreachable));
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

  Relay relay{.tunnel = tunnel, .is_time_exceeded = is_ttl_exceeded(*error)};
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
      payload ? relay_payload(buffer, tables.icmp_source(), *tunnel, *payload, is_too_big, path_mtu)
              : Relayed{DropReason::icmp_error_quotes_too_little, {}};
  if (relayed.reason == DropReason::icmp_error_not_ours) return drop(relayed.reason);
  relay.reason = relayed.reason;
  relay.packet = relayed.packet;
  return relay;
}

}  // namespace culvert
