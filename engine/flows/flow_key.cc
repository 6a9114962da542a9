#include "engine/flows/flow_key.h"

#include "proto/byte_order.h"
#include "proto/icmpv4.h"
#include "proto/icmpv6.h"
#include "proto/tcp_fields.h"

namespace culvert {
namespace {

using Bytes = std::span<const std::byte>;
using proto::Ipv4Address;
using proto::Ipv6Address;

constexpr std::uint8_t kIcmpv4EchoReply = 0, kIcmpv4Echo = 8;
constexpr std::uint8_t kIcmpv6EchoRequest = 128, kIcmpv6EchoReply = 129;
constexpr std::size_t kIcmpHeaderBytes = 8;

Direction opposite(Direction direction) noexcept {
  return direction == Direction::inbound ? Direction::outbound : Direction::inbound;
}

std::string text_of(const Ipv6Address& address, bool is_ipv4) {
  return is_ipv4 ? proto::load<Ipv4Address>(address.bytes, 12).to_text() : address.to_text();
}

bool is_pinnable_address(const Ipv6Address& address) noexcept {
  return !address.is_multicast() && !address.is_link_local() && !address.is_unspecified();
}
bool is_pinnable_address(Ipv4Address address) noexcept {
  const bool is_link_local = address.host() >> 16 == 0xa9fe;  // 169.254/16: RFC 3927
  return !address.is_multicast() && !address.is_reserved() && !address.is_unspecified() &&
         !is_link_local;
}

/// Stores source and destination as far and near. False: the flow must not be pinned. Each IPv6
/// address is copied in one step (proto/in_place.h).
bool set_addresses(FlowKey& key, const PacketMeta& meta, Bytes bytes,
                   Direction direction) noexcept {
  const bool is_inbound = direction == Direction::inbound;
  const Bytes ip = meta.ip_bytes(bytes);
  if (meta.is_ipv6()) {
    key.far = proto::load<Ipv6Address>(
        ip, is_inbound ? proto::kIpv6SourceOffset : proto::kIpv6DestinationOffset);
    key.near = proto::load<Ipv6Address>(
        ip, is_inbound ? proto::kIpv6DestinationOffset : proto::kIpv6SourceOffset);
    return is_pinnable_address(key.far) && is_pinnable_address(key.near);
  }
  const auto source = proto::ipv4_source(ip);
  const auto destination = proto::ipv4_destination(ip);
  key.far = proto::ipv4_mapped(is_inbound ? source : destination);
  key.near = proto::ipv4_mapped(is_inbound ? destination : source);
  return is_pinnable_address(source) && is_pinnable_address(destination);
}

std::uint32_t fragments_word(const PacketMeta& meta) noexcept {
  if (meta.is_ipv6()) return meta.identification;
  return std::uint32_t{meta.upper_protocol} << 16 | meta.identification;
}

enum class IcmpKind : std::uint8_t { error, echo, other };

IcmpKind icmp_kind(const PacketMeta& meta, std::uint8_t type) noexcept {
  if (meta.is_ipv6()) {
    if (type < kIcmpv6EchoRequest || type == proto::kIcmpv6Redirect) return IcmpKind::error;
    const bool is_echo = type == kIcmpv6EchoRequest || type == kIcmpv6EchoReply;
    return is_echo ? IcmpKind::echo : IcmpKind::other;
  }
  if (proto::is_icmpv4_error_type(type)) return IcmpKind::error;
  const bool is_echo = type == kIcmpv4Echo || type == kIcmpv4EchoReply;
  return is_echo ? IcmpKind::echo : IcmpKind::other;
}

FlowPacket flow_of(const PacketMeta& meta, Bytes bytes, Direction direction,
                   bool is_quoted) noexcept;

/// The flow of the packet that an error quotes. That packet went in the direction opposite to
/// `direction`. `quotation`: what follows the ICMP header.
FlowPacket flow_of_quoted(const PacketMeta& meta, Bytes quotation, Direction direction) noexcept {
  const PacketMeta quoted = classify_quoted(quotation);
  if (quoted.protocol_type != meta.protocol_type) return {};
  FlowPacket flow = flow_of(quoted, quotation, opposite(direction), true);
  if (flow.role != FlowRole::none) flow.role = FlowRole::error;
  flow.tcp_flags = 0;  // the flags of a packet that has been counted already
  flow.fragments_word = 0;
  return flow;
}

/// `message`: from the ICMP header on.
void set_icmp(FlowPacket& flow, const PacketMeta& meta, Bytes message, Direction direction,
              bool is_quoted) noexcept {
  if (message.size() < kIcmpHeaderBytes) return;
  const IcmpKind kind = icmp_kind(meta, proto::load_u8(message, 0));
  if (kind == IcmpKind::error) {
    // RFC 4443 2.4(e.1): an error never answers an error.
    if (!is_quoted) flow = flow_of_quoted(meta, message.subspan(kIcmpHeaderBytes), direction);
    return;
  }
  flow.key.word = kind == IcmpKind::echo ? kEchoWord | proto::load_be16(message, 4) : 0;
  flow.role = FlowRole::packet;
}

/// Sets the role and the rest of `flow.key`; its addresses are set already.
void set_upper(FlowPacket& flow, const PacketMeta& meta, Bytes bytes, Direction direction,
               bool is_quoted) noexcept {
  flow.key.protocol = meta.upper_protocol;
  if (meta.has_ports) {
    flow.key.word =
        direction == Direction::inbound ? meta.ports : meta.ports << 16 | meta.ports >> 16;
    flow.tcp_flags = meta.tcp_flags;
    flow.role = FlowRole::packet;
  } else if (meta.upper_protocol ==
             (meta.is_ipv6() ? proto::kProtocolIcmpv6 : proto::kProtocolIcmp)) {
    const Bytes message = bytes.subspan(meta.upper_offset, meta.end_offset() - meta.upper_offset);
    set_icmp(flow, meta, message, direction, is_quoted);
  } else if (!has_ports(meta.upper_protocol) && meta.upper_protocol != kFlowFragments) {
    flow.role = FlowRole::packet;  // IPv4 gives no meaning to the number kFlowFragments
  }
}

FlowPacket flow_of(const PacketMeta& meta, Bytes bytes, Direction direction,
                   bool is_quoted) noexcept {
  FlowPacket flow;
  flow.packet_count = meta.packet_count;
  if (!meta.has_ip_header() || !set_addresses(flow.key, meta, bytes, direction)) return flow;
  if (meta.fragment == FragmentRole::later) {
    flow.key.word = fragments_word(meta);
    flow.key.protocol = kFlowFragments;
    flow.role = FlowRole::packet;
    return flow;
  }
  if (meta.upper_offset == 0) return flow;
  set_upper(flow, meta, bytes, direction, is_quoted);
  if (flow.role == FlowRole::packet && meta.fragment == FragmentRole::first) {
    flow.role = FlowRole::first_fragment;
    flow.fragments_word = fragments_word(meta);
  }
  return flow;
}

}  // namespace

FlowPacket flow_of(const PacketMeta& meta, Bytes bytes, Direction direction) noexcept {
  return flow_of(meta, bytes, direction, false);
}

bool FlowKey::is_ipv4() const noexcept {
  // Both must be mapped: the destination of an IPv6 packet may be a mapped address.
  const auto is_mapped = [](const Ipv6Address& address) {
    return proto::load_be32(address.bytes, 8) == 0xffff &&
           proto::load<std::uint64_t>(address.bytes, 0) == 0;
  };
  return is_mapped(far) && is_mapped(near);
}
std::string FlowKey::far_text() const { return text_of(far, is_ipv4()); }
std::string FlowKey::near_text() const { return text_of(near, is_ipv4()); }
std::uint16_t FlowKey::far_port() const noexcept {
  return has_ports(protocol) ? static_cast<std::uint16_t>(word >> 16) : std::uint16_t{0};
}
std::uint16_t FlowKey::near_port() const noexcept {
  return has_ports(protocol) ? static_cast<std::uint16_t>(word) : std::uint16_t{0};
}
FlowKey FlowKey::mirrored() const noexcept {
  return {near, far, culvert::has_ports(protocol) ? word << 16 | word >> 16 : word, protocol};
}
std::optional<std::uint32_t> FlowKey::identifier() const noexcept {
  if (protocol == kFlowFragments) return is_ipv4() ? word & 0xffff : word;
  const bool is_icmp = protocol == proto::kProtocolIcmp || protocol == proto::kProtocolIcmpv6;
  if (is_icmp && (word & kEchoWord) != 0) return word & 0xffff;
  return std::nullopt;
}

}  // namespace culvert
