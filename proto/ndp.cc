#include "proto/ndp.h"

#include <array>
#include <cstring>

#include "proto/checksum.h"
#include "proto/ipv4.h"

namespace culvert::proto {
namespace {

constexpr std::uint8_t kSourceLinkLayer = 1, kTargetLinkLayer = 2;  // RFC 4861 4.6.1
constexpr std::size_t kTargetOffset = 8;
constexpr std::uint8_t kRouterFlag = 0x80, kSolicitedFlag = 0x40, kOverrideFlag = 0x20;

constexpr std::array<std::byte, 13> kSolicitedNodePrefix{
    std::byte{0xff}, std::byte{0x02}, {}, {}, {}, {}, {}, {}, {}, {}, {},
    std::byte{0x01}, std::byte{0xff}};

/// Checks the options of a Hop-by-Hop or Destination Options header. False: there is one that this
/// host does not know and with which the packet must be discarded (RFC 8200 4.2: the highest two bits
/// of its type are not 00), or one that exceeds the header.
bool has_only_known_options(std::span<const std::byte> header) noexcept {
  constexpr std::uint8_t kPad1 = 0, kDiscardBits = 0xc0;
  for (std::size_t offset = 2; offset < header.size();) {
    const std::uint8_t type = load_u8(header, offset);
    if (type == kPad1) {
      ++offset;
      continue;
    }
    if ((type & kDiscardBits) != 0 || offset + 2 > header.size()) return false;
    offset += 2u + load_u8(header, offset + 1);
    if (offset > header.size()) return false;
  }
  return true;
}

/// Checks the extension headers in front of the upper layer at `upper_offset`, which
/// find_upper_layer() has found. Empty if a host processes the packet.
std::optional<Malformed> check_extension_headers(const Ipv6Packet& packet,
                                                 std::size_t upper_offset) noexcept {
  std::uint8_t header = packet.next_header;
  for (std::size_t offset = kIpv6HeaderBytes; offset < upper_offset;) {
    if (header == kHopByHopHeader && offset != kIpv6HeaderBytes)
      return Malformed::misplaced_hop_by_hop;
    const std::size_t length = load_u8(packet.bytes, offset + 1);
    const std::size_t header_bytes =
        header == kAuthenticationHeader ? (length + 2) * 4 : (length + 1) * 8;  // RFC 4302 2.2
    const bool has_options = header == kHopByHopHeader || header == kDestinationOptionsHeader;
    if (has_options && !has_only_known_options(packet.bytes.subspan(offset, header_bytes)))
      return Malformed::unknown_extension_option;
    header = load_u8(packet.bytes, offset);
    offset += header_bytes;
  }
  return std::nullopt;
}

/// The ICMPv6 message of a packet. Fails with fragmented, not_neighbor_discovery, truncated,
/// misplaced_hop_by_hop or unknown_extension_option.
Parsed<std::span<const std::byte>> find_message(const Ipv6Packet& packet) noexcept {
  if (packet.next_header == kProtocolIcmpv6) return packet.payload;
  const auto upper = find_upper_layer(packet);
  if (!upper) return Unexpected{upper.error()};
  if (upper->has_fragment_header) return Unexpected{Malformed::fragmented};
  if (upper->protocol != kProtocolIcmpv6) return Unexpected{Malformed::not_neighbor_discovery};
  if (const auto wrong = check_extension_headers(packet, upper->offset_bytes))
    return Unexpected{*wrong};
  return packet.bytes.subspan(upper->offset_bytes);
}

/// Reads the sender's link-layer address from the options. Returns false if an option is malformed.
bool read_options(NeighborMessage& message, std::span<const std::byte> options) noexcept {
  const std::uint8_t wanted =
      message.type == NeighborMessageType::solicitation ? kSourceLinkLayer : kTargetLinkLayer;
  while (!options.empty()) {
    if (options.size() < 2) return false;
    const std::size_t size_bytes = load_u8(options, 1) * std::size_t{8};
    if (size_bytes == 0 || size_bytes > options.size()) return false;
    if (load_u8(options, 0) == wanted && size_bytes == kLinkLayerOptionBytes) {
      message.has_address = true;
      message.address = load<EthernetAddress>(options, 2);
    }
    options = options.subspan(size_bytes);
  }
  return true;
}

/// Checks the rules of RFC 4861 7.1.1 and 7.1.2 that concern addresses and flags together. Empty if
/// the message follows them.
std::optional<Malformed> check_addresses(const NeighborMessage& message) noexcept {
  if (message.type == NeighborMessageType::advertisement) {
    if (message.solicited && message.destination.is_multicast())
      return Malformed::solicited_flag_on_multicast;
    return {};
  }
  if (!message.source.is_unspecified()) return {};
  if (!is_solicited_node_group(message.destination))
    return Malformed::destination_not_solicited_node;
  if (message.has_address) return Malformed::unspecified_source_with_address;
  return {};
}

/// Writes the IPv6 header and the message without options. The caller writes the options and the
/// checksum.
void build(std::span<std::byte> out, const Ipv6Address& source, const Ipv6Address& destination,
           NeighborMessageType type, std::uint8_t flags, const Ipv6Address& target) noexcept {
  build_ipv6(out.first<kIpv6HeaderBytes>(),
             {.source = source,
              .destination = destination,
              .traffic_class = 0,
              .next_header = kProtocolIcmpv6,
              .hop_limit = kNeighborHopLimit,
              .payload_bytes = static_cast<std::uint16_t>(out.size() - kIpv6HeaderBytes)});
  const auto message = out.subspan(kIpv6HeaderBytes);
  store_be32(message, 0, std::uint32_t{static_cast<std::uint8_t>(type)} << 24);
  store_be32(message, 4, std::uint32_t{flags} << 24);
  store(message, kTargetOffset, target);
}

void put_link_layer_option(std::span<std::byte> out, std::uint8_t type,
                           const EthernetAddress& address) noexcept {
  store(out, 0, std::array{std::byte{type}, std::byte{kLinkLayerOptionBytes / 8}});
  store(out, 2, address);
}

ChecksumSum sum_of(std::span<const std::byte> message, const Ipv6Address& source,
                   const Ipv6Address& destination) noexcept {
  return pseudo_header_sum(source, destination, kProtocolIcmpv6,
                           static_cast<std::uint32_t>(message.size())) +
         sum(message);
}

}  // namespace

Ipv6Address solicited_node_group(const Ipv6Address& target) noexcept {
  Ipv6Address group;
  std::memcpy(group.bytes.data(), kSolicitedNodePrefix.data(), kSolicitedNodePrefix.size());
  std::memcpy(group.bytes.data() + 13, target.bytes.data() + 13, 3);
  return group;
}

bool is_solicited_node_group(const Ipv6Address& address) noexcept {
  return std::memcmp(address.bytes.data(), kSolicitedNodePrefix.data(),
                     kSolicitedNodePrefix.size()) == 0;
}

Parsed<NeighborMessage> parse_neighbor_message(std::span<const std::byte> bytes) noexcept {
  const auto packet = parse_ipv6(bytes);
  if (!packet) return Unexpected{packet.error()};
  const auto body = find_message(*packet);
  if (!body) return Unexpected{body.error()};
  if (body->empty()) return Unexpected{Malformed::truncated};
  NeighborMessage message{.type = NeighborMessageType{load_u8(*body, 0)},
                          .source = packet->source,
                          .destination = packet->destination};
  if (message.type != NeighborMessageType::solicitation &&
      message.type != NeighborMessageType::advertisement)
    return Unexpected{Malformed::not_neighbor_discovery};
  if (body->size() < kNeighborMessageBytes) return Unexpected{Malformed::truncated};
  if (packet->hop_limit != kNeighborHopLimit) return Unexpected{Malformed::bad_hop_limit};
  if (load_u8(*body, 1) != 0) return Unexpected{Malformed::bad_code};
  message.target = load<Ipv6Address>(*body, kTargetOffset);
  if (message.target.is_multicast()) return Unexpected{Malformed::multicast_target};
  if (!read_options(message, body->subspan(kNeighborMessageBytes)))
    return Unexpected{Malformed::bad_option};
  if (message.type == NeighborMessageType::advertisement) {
    const std::uint8_t flags = load_u8(*body, 4);
    message.router = (flags & kRouterFlag) != 0;
    message.solicited = (flags & kSolicitedFlag) != 0;
    message.override = (flags & kOverrideFlag) != 0;
  }
  if (const auto broken = check_addresses(message)) return Unexpected{*broken};
  if (!verifies(sum_of(*body, packet->source, packet->destination)))
    return Unexpected{Malformed::bad_checksum};
  return message;
}

void build_neighbor_advertisement(std::span<std::byte, kNeighborAdvertisementBytes> out,
                                  const NeighborAdvertisementFields& fields) noexcept {
  const auto flags = static_cast<std::uint8_t>((fields.router ? kRouterFlag : 0) |
                                               (fields.solicited ? kSolicitedFlag : 0) |
                                               (fields.override ? kOverrideFlag : 0));
  build(out, fields.source, fields.destination, NeighborMessageType::advertisement, flags,
        fields.target);
  const auto message = out.subspan<kIpv6HeaderBytes>();
  put_link_layer_option(message.subspan<kNeighborMessageBytes>(), kTargetLinkLayer, fields.address);
  store(message, 2, finish(sum_of(message, fields.source, fields.destination)));
}

std::size_t build_neighbor_solicitation(std::span<std::byte, kNeighborSolicitationMaxBytes> out,
                                        const NeighborSolicitationFields& fields) noexcept {
  const auto packet = out.first(kIpv6HeaderBytes + kNeighborMessageBytes +
                                (fields.address ? kLinkLayerOptionBytes : std::size_t{0}));
  build(packet, fields.source, fields.destination, NeighborMessageType::solicitation, 0,
        fields.target);
  const auto message = packet.subspan(kIpv6HeaderBytes);
  if (fields.address)
    put_link_layer_option(message.subspan(kNeighborMessageBytes), kSourceLinkLayer,
                          *fields.address);
  store(message, 2, finish(sum_of(message, fields.source, fields.destination)));
  return packet.size();
}

}  // namespace culvert::proto
