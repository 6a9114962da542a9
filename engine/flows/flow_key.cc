#include "engine/flows/flow_key.h"

#include "proto/byte_order.h"
#include "proto/icmpv4.h"
#include "proto/icmpv6.h"
#include "proto/ipv4.h"
#include "proto/ipv6.h"
#include "proto/tcp.h"
#include "proto/tcp_fields.h"

namespace culvert {
namespace {

using proto::Ipv4Address;
using proto::Ipv6Address;

constexpr std::uint8_t kIcmpv4EchoReply = 0, kIcmpv4Echo = 8;
constexpr std::uint8_t kIcmpv6EchoRequest = 128, kIcmpv6EchoReply = 129;
constexpr std::size_t kIcmpHeaderBytes = 8;

bool has_ports(std::uint8_t protocol) noexcept {
  switch (protocol) {
    case proto::kProtocolTcp:
    case proto::kProtocolUdp:
    case kProtocolUdpLite:
    case kProtocolSctp:
    case kProtocolDccp:
      return true;
    default:
      return false;
  }
}

Direction opposite(Direction direction) noexcept {
  return direction == Direction::inbound ? Direction::outbound : Direction::inbound;
}

Ipv6Address mapped(Ipv4Address address) noexcept {
  Ipv6Address result;
  result.bytes[10] = result.bytes[11] = std::byte{0xff};
  proto::store(std::span{result.bytes}, 12, address);
  return result;
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

/// Stores source and destination as far and near. False: the flow must not be pinned. `bytes`: an
/// IPv6 packet; each address is copied in one step (proto/in_place.h).
bool set_addresses(FlowKey& key, std::span<const std::byte> bytes, Direction direction) noexcept {
  const bool is_inbound = direction == Direction::inbound;
  key.far = proto::load<Ipv6Address>(
      bytes, is_inbound ? proto::kIpv6SourceOffset : proto::kIpv6DestinationOffset);
  key.near = proto::load<Ipv6Address>(
      bytes, is_inbound ? proto::kIpv6DestinationOffset : proto::kIpv6SourceOffset);
  return is_pinnable_address(key.far) && is_pinnable_address(key.near);
}
bool set_addresses(FlowKey& key, Ipv4Address source, Ipv4Address destination,
                   Direction direction) noexcept {
  const bool is_inbound = direction == Direction::inbound;
  key.far = mapped(is_inbound ? source : destination);
  key.near = mapped(is_inbound ? destination : source);
  return is_pinnable_address(source) && is_pinnable_address(destination);
}

/// The upper-layer packet behind the IP header and extension headers.
struct UpperLayer {
  std::uint8_t protocol = 0;
  std::span<const std::byte> bytes;  ///< may be truncated
  bool is_ipv6 = false;
};

FlowPacket flow_of_quoted(const UpperLayer& upper, Direction direction) noexcept;

/// Sets the role and the rest of `flow.key`; its addresses are set already.
void set_upper(FlowPacket& flow, const UpperLayer& upper, Direction direction,
               bool is_quoted) noexcept {
  flow.role = FlowRole::none;
  flow.key.protocol = upper.protocol;
  if (has_ports(upper.protocol)) {
    if (upper.bytes.size() < proto::kPortsBytes) return;
    const std::uint32_t source = proto::load_be16(upper.bytes, proto::kSourcePortOffset);
    const std::uint32_t destination = proto::load_be16(upper.bytes, proto::kDestinationPortOffset);
    flow.key.word =
        direction == Direction::inbound ? source << 16 | destination : destination << 16 | source;
    if (upper.protocol == proto::kProtocolTcp && upper.bytes.size() > proto::kTcpFlagsOffset)
      flow.tcp_flags = proto::load_u8(upper.bytes, proto::kTcpFlagsOffset);
  } else if (upper.protocol == (upper.is_ipv6 ? proto::kProtocolIcmpv6 : proto::kProtocolIcmp)) {
    if (upper.bytes.size() < kIcmpHeaderBytes) return;
    const std::uint8_t type = proto::load_u8(upper.bytes, 0);
    const bool is_error = upper.is_ipv6
                              ? type < kIcmpv6EchoRequest || type == proto::kIcmpv6Redirect
                              : proto::is_icmpv4_error_type(type);
    if (is_error) {
      // RFC 4443 2.4(e.1): an error never answers an error.
      flow = is_quoted ? FlowPacket{} : flow_of_quoted(upper, direction);
      return;
    }
    const bool is_echo = upper.is_ipv6 ? type == kIcmpv6EchoRequest || type == kIcmpv6EchoReply
                                       : type == kIcmpv4Echo || type == kIcmpv4EchoReply;
    flow.key.word = is_echo ? kEchoWord | proto::load_be16(upper.bytes, 4) : 0;
  } else if (upper.protocol == kFlowFragments) {
    return;  // in IPv4, where this number has no meaning
  }
  flow.role = FlowRole::packet;
}

std::uint32_t fragments_word(const proto::Ipv4Packet& packet) noexcept {
  return std::uint32_t{packet.protocol} << 16 | packet.identification;
}

void set_later_fragment(FlowPacket& flow, std::uint32_t word) noexcept {
  flow.key.word = word;
  flow.key.protocol = kFlowFragments;
  flow.role = FlowRole::packet;
}

/// A fragment, or a packet quoted by an error. Extension headers are allowed.
FlowPacket flow_of_ipv6(const proto::Ipv6Packet& packet, Direction direction,
                        bool is_quoted) noexcept {
  FlowPacket flow;
  if (!set_addresses(flow.key, packet.bytes, direction)) return flow;
  const auto upper = proto::find_upper_layer(packet);
  if (!upper) return flow;
  if (upper->is_fragment && !upper->is_first_fragment) {
    set_later_fragment(flow, upper->identification);
    return flow;
  }
  set_upper(flow, {upper->protocol, packet.bytes.subspan(upper->offset_bytes), true}, direction,
            is_quoted);
  if (flow.role == FlowRole::packet && upper->is_first_fragment) {
    flow.role = FlowRole::first_fragment;
    flow.fragments_word = upper->identification;
  }
  return flow;
}

FlowPacket flow_of_ipv4(const proto::Ipv4Packet& packet, Direction direction,
                        bool is_quoted) noexcept {
  FlowPacket flow;
  if (!set_addresses(flow.key, packet.source, packet.destination, direction)) return flow;
  if (packet.fragment_offset_bytes != 0) {
    set_later_fragment(flow, fragments_word(packet));
    return flow;
  }
  set_upper(flow, {packet.protocol, packet.payload, false}, direction, is_quoted);
  if (flow.role == FlowRole::packet && packet.more_fragments) {
    flow.role = FlowRole::first_fragment;
    flow.fragments_word = fragments_word(packet);
  }
  return flow;
}

/// The flow of the packet that an error quotes. That packet went in the direction opposite to
/// `direction`.
FlowPacket flow_of_quoted(const UpperLayer& upper, Direction direction) noexcept {
  const auto quoted = upper.bytes.subspan(kIcmpHeaderBytes);
  FlowPacket flow;
  if (upper.is_ipv6) {
    if (const auto packet = proto::parse_quoted_ipv6(quoted))
      flow = flow_of_ipv6(*packet, opposite(direction), true);
  } else if (const auto packet = proto::parse_quoted_ipv4(quoted)) {
    flow = flow_of_ipv4(*packet, opposite(direction), true);
  }
  if (flow.role != FlowRole::none) flow.role = FlowRole::error;
  flow.tcp_flags = 0;  // the flags of a packet that has been counted already
  flow.fragments_word = 0;
  return flow;
}

/// Fragments are rare, so they are parsed again for the fields that PacketMeta lacks.
FlowPacket flow_of_fragment(const PacketMeta& inner, std::span<const std::byte> bytes,
                            Direction direction) noexcept {
  if (inner.is_ipv6()) {
    const auto packet = proto::parse_quoted_ipv6(bytes);
    return packet ? flow_of_ipv6(*packet, direction, false) : FlowPacket{};
  }
  const auto packet = proto::parse_quoted_ipv4(bytes);
  return packet ? flow_of_ipv4(*packet, direction, false) : FlowPacket{};
}

/// A packet that is not a fragment.
FlowPacket flow_of_whole(const PacketMeta& inner, std::span<const std::byte> bytes,
                         Direction direction) noexcept {
  FlowPacket flow;
  if (inner.upper_offset == 0) return flow;
  const bool is_pinnable = inner.is_ipv6()
                               ? set_addresses(flow.key, bytes, direction)
                               : set_addresses(flow.key, proto::ipv4_source(bytes),
                                               proto::ipv4_destination(bytes), direction);
  if (!is_pinnable) return flow;
  const auto whole = bytes.first(inner.size_bytes);
  set_upper(flow, {inner.upper_protocol, whole.subspan(inner.upper_offset), inner.is_ipv6()},
            direction, false);
  return flow;
}

}  // namespace

FlowPacket flow_of(const PacketMeta& inner, std::span<const std::byte> bytes,
                   Direction direction) noexcept {
  if (inner.is_fragment) return flow_of_fragment(inner, bytes, direction);
  return flow_of_whole(inner, bytes, direction);
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
std::optional<std::uint32_t> FlowKey::identifier() const noexcept {
  if (protocol == kFlowFragments) return is_ipv4() ? word & 0xffff : word;
  const bool is_icmp = protocol == proto::kProtocolIcmp || protocol == proto::kProtocolIcmpv6;
  if (is_icmp && (word & kEchoWord) != 0) return word & 0xffff;
  return std::nullopt;
}

}  // namespace culvert
