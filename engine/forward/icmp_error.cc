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

/// The configured source address: IcmpRules::source.
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

/// The smallest quote behind the outer header. RFC 792, RFC 1122 3.2.2.
constexpr std::size_t kQuotedBytes = 8;

/// Returns whether the first `quoted_bytes` of an encapsulation header include its key, if it has
/// one.
bool includes_key(std::uint8_t ip_protocol, Bytes header, std::size_t quoted_bytes) noexcept {
  const std::uint32_t word = proto::load_be32(header, 0);
  bool includes = true;
  for_each_encapsulation([&](auto encapsulation) {
    for (const proto::DemuxRule& rule : encapsulation.kDemux) {
      if (rule.ip_protocol != ip_protocol) continue;
      for (const proto::KeyPlace& place : rule.keys)
        if ((word & place.mask) == place.value)
          includes &= place.offset_bytes + sizeof word <= quoted_bytes;
    }
  });
  return includes;
}

/// What a quote shows of the encapsulation.
struct QuotedPayload {
  /// Empty if the quote ends within the encapsulation header.
  Bytes packet;
  std::uint16_t protocol_type = 0;
  std::size_t header_bytes = 0;              ///< of the whole encapsulation header
  std::optional<proto::OptionalWord> key{};  ///< nullopt: the quote ends in front of its end

  [[nodiscard]] bool has_whole_header() const noexcept { return packet.data() != nullptr; }
};

/// Decapsulates a quoted outer packet. Its checksum cannot be verified, for the quote is cut short.
proto::Parsed<QuotedPayload> quoted_payload(const proto::Ipv4Packet& outer) noexcept {
  const Bytes quoted = outer.payload;
  const auto unverified = proto::ChecksumCheck::already_verified;
  auto payload = decapsulate(outer.protocol, quoted, unverified);
  if (payload) {
    return QuotedPayload{payload->packet, payload->protocol_type,
                         static_cast<std::size_t>(payload->packet.data() - quoted.data()),
                         payload->key};
  }
  if (payload.error() != proto::Malformed::truncated) return Unexpected{payload.error()};
  // The missing bytes are read as 0: the first ones state the size of the header.
  std::array<std::byte, kMaxOverheadBytes> header{};
  std::copy_n(quoted.begin(), std::min(quoted.size(), header.size()), header.begin());
  payload = decapsulate(outer.protocol, header, unverified);
  if (!payload) return Unexpected{payload.error()};
  QuotedPayload result{.packet = {},
                       .protocol_type = payload->protocol_type,
                       .header_bytes = header.size() - payload->packet.size()};
  if (includes_key(outer.protocol, header, quoted.size())) result.key = payload->key;
  return result;
}

/// Returns the tunnel that sent the quoted packet, as far as the quote shows. Null: none of ours.
/// `payload`: null if the quote is a later fragment, which has no encapsulation header.
const Tunnel* find_sender(const Tables& tables, const proto::Ipv4Packet& outer,
                          const QuotedPayload* payload) noexcept {
  const auto key = payload != nullptr ? payload->key : std::nullopt;
  const Tunnel* tunnel = tables.find_sender(outer.protocol, outer.source, outer.destination, key);
  if (tunnel == nullptr || payload == nullptr) return tunnel;
  return payload->header_bytes == tunnel->encapsulation_bytes ? tunnel : nullptr;
}

/// The size in bytes that the header of an inner packet states; nullopt: it is not quoted, or the
/// packet is not IP.
std::optional<std::size_t> stated_bytes(const QuotedPayload& payload) noexcept {
  if (!is_of_protocol_type(payload.packet, payload.protocol_type)) return std::nullopt;
  const auto has_word = [&](std::size_t offset) { return payload.packet.size() >= offset + 2; };
  if (payload.protocol_type == proto::kProtocolTypeIpv4 && has_word(proto::kIpv4TotalLengthOffset))
    return proto::load_be16(payload.packet, proto::kIpv4TotalLengthOffset);
  if (payload.protocol_type == proto::kProtocolTypeIpv6 &&
      has_word(proto::kIpv6PayloadLengthOffset)) {
    return proto::kIpv6HeaderBytes +
           proto::load_be16(payload.packet, proto::kIpv6PayloadLengthOffset);
  }
  return std::nullopt;
}

/// Returns whether the tunnel can have sent a packet with the lengths of the quoted one. The
/// identification proves nothing: it is 0 or small in packets with DF (RFC 6864 4.1).
bool can_have_sent(const Tunnel& tunnel, const proto::Ipv4Packet& outer,
                   const QuotedPayload* payload) noexcept {
  const std::size_t total = proto::load_be16(outer.bytes, proto::kIpv4TotalLengthOffset);
  // Routers derived from 4.2BSD add the length of the header. RFC 1191 5.
  const std::size_t surplus = outer.header_bytes;
  if (tunnel.config.remote.is_fixed()) {
    // The route's MTU may have become smaller since, perhaps by this very error.
    const std::size_t largest =
        std::max<std::size_t>(tunnel.path->route_mtu.load(std::memory_order_relaxed),
                              tunnel.device_mtu + tunnel.overhead_bytes());
    if (total > largest + surplus) return false;
  }
  if (payload == nullptr || outer.is_fragment()) return total > outer.header_bytes;
  const auto inner = stated_bytes(*payload);
  const std::size_t expected = outer.header_bytes + payload->header_bytes + inner.value_or(0);
  return inner ? total == expected || total == expected + surplus : total > expected;
}

/// A redirect concerns us and our router; source quench is obsolete (RFC 6633 3).
bool concerns_inner_source(const proto::Icmpv4Error& error) noexcept {
  return error.type != proto::kIcmpv4Redirect && error.type != proto::kIcmpv4SourceQuench;
}

/// The path MTU that a fragmentation needed error reports, which may be too small to be believed; 0:
/// it is no smaller than the packet. RFC 1191 3, 4, 5.
std::uint16_t reported_path_mtu(const proto::Icmpv4Error& error,
                                std::uint16_t sent_bytes) noexcept {
  const std::uint16_t reported = error.next_hop_mtu_bytes != 0
                                     ? error.next_hop_mtu_bytes
                                     : proto::next_lower_plateau(sent_bytes);
  return reported < sent_bytes ? reported : std::uint16_t{0};
}

/// The error for the inner source, or the reason why none is sent.
struct Relayed {
  DropReason reason = DropReason::none;
  Bytes packet;
};

/// `payload`: of the quoted outer packet. `path_mtu`: as the error reports it, if it `is_too_big`.
Relayed relay_payload(ErrorBuffer& buffer, const ConfiguredSource& configured, const Tunnel& tunnel,
                      const QuotedPayload& payload, bool is_too_big,
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

/// The path MTU after an error, and what was learned from it.
struct ReportedMtu {
  std::uint16_t path_mtu = 0;  ///< 0: the error says nothing new
  std::uint16_t learned = 0;   ///< Relay::learned_path_mtu
  bool is_below_minimum = false;
};
ReportedMtu path_mtu_after(const Tunnel& tunnel, const proto::Icmpv4Error& error,
                           const proto::Ipv4Packet& outer, std::uint16_t min_pmtu) noexcept {
  // We set DF on no fragment, and routers refuse no packet without DF (RFC 1191 4).
  if (outer.is_fragment()) return {};
  const auto sent_bytes = proto::load_be16(outer.bytes, proto::kIpv4TotalLengthOffset);
  const auto reported = reported_path_mtu(error, sent_bytes);
  if (reported == 0) return {};
  ReportedMtu result{.path_mtu = tunnel.path->mtu(), .is_below_minimum = reported < min_pmtu};
  // An error must not raise the estimate (RFC 1191 3): this one is about an earlier, larger
  // packet.
  const auto believed = std::max(reported, min_pmtu);
  if (believed >= result.path_mtu) return result;
  result.path_mtu = believed;
  if (tunnel.config.remote.is_fixed()) result.learned = believed;
  return result;
}

/// Relays an error about a packet that the tunnel can have sent. `payload`: null if the quote is a
/// later fragment.
Relay relay_about(ErrorBuffer& buffer, const Tables& tables, const Tunnel& tunnel,
                  const proto::Icmpv4Error& error, const proto::Ipv4Packet& outer,
                  const QuotedPayload* payload) noexcept {
  Relay relay{.tunnel = &tunnel, .is_time_exceeded = is_ttl_exceeded(error)};
  const bool is_too_big = is_fragmentation_needed(error);
  ReportedMtu mtu;
  if (is_too_big) {
    mtu = path_mtu_after(tunnel, error, outer, tables.icmp().min_pmtu);
    if (mtu.path_mtu == 0) return {.reason = DropReason::icmp_error_not_relayed, .tunnel = &tunnel};
    relay.learned_path_mtu = mtu.learned;
    relay.is_below_minimum = mtu.is_below_minimum;
  }
  const auto relayed =
      payload != nullptr && payload->has_whole_header()
          ? relay_payload(buffer, tables.icmp().source, tunnel, *payload, is_too_big, mtu.path_mtu)
          : Relayed{DropReason::icmp_error_quotes_too_little, {}};
  if (relayed.reason == DropReason::icmp_error_not_ours) return {.reason = relayed.reason};
  relay.reason = relayed.reason;
  relay.packet = relayed.packet;
  return relay;
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
    case DropReason::loops_back:
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
  // A later fragment has no encapsulation header.
  std::optional<QuotedPayload> payload;
  if (outer->fragment_offset_bytes == 0 && outer->payload.size() >= kQuotedBytes) {
    const auto parsed = quoted_payload(*outer);
    if (!parsed && parsed.error() != proto::Malformed::truncated)
      return drop(DropReason::icmp_error_not_ours);
    if (parsed) payload = *parsed;
  }
  const QuotedPayload* quoted = payload ? &*payload : nullptr;
  const Tunnel* tunnel = find_sender(tables, *outer, quoted);
  if (tunnel == nullptr) return drop(DropReason::icmp_error_not_ours);
  if (!concerns_inner_source(*error)) return drop(DropReason::icmp_error_not_relayed, tunnel);
  if (!can_have_sent(*tunnel, *outer, quoted))
    return drop(DropReason::icmp_error_implausible, tunnel);
  if (outer->payload.size() < kQuotedBytes)
    return drop(DropReason::icmp_error_quotes_too_little, tunnel);
  return relay_about(buffer, tables, *tunnel, *error, *outer, quoted);
}

}  // namespace culvert
