#include "tests/support/packet_builder.h"

#include <arpa/inet.h>

#include <algorithm>
#include <stdexcept>

namespace culvert::test {
namespace {

constexpr std::uint8_t kHopByHop = 0, kIcmp = 1, kIpv4 = 4, kTcp = 6, kUdp = 17, kIpv6 = 41,
                       kRouting = 43, kFragment = 44, kGre = 47, kAuthentication = 51, kIcmpv6 = 58,
                       kNoNextHeader = 59, kDestinationOptions = 60;

void put8(Bytes& out, unsigned value) { out.push_back(static_cast<std::byte>(value)); }
void put16(Bytes& out, unsigned value) {
  put8(out, value >> 8 & 0xff);
  put8(out, value & 0xff);
}
void put32(Bytes& out, std::uint32_t value) {
  put16(out, value >> 16);
  put16(out, value & 0xffff);
}
void put(Bytes& out, const Bytes& more) { out.insert(out.end(), more.begin(), more.end()); }
void set16(Bytes& bytes, std::size_t offset, unsigned value) {
  bytes.at(offset) = static_cast<std::byte>(value >> 8);
  bytes.at(offset + 1) = static_cast<std::byte>(value);
}

Bytes address(int family, std::string_view text, std::size_t size) {
  Bytes bytes(size);
  if (inet_pton(family, std::string{text}.c_str(), bytes.data()) != 1)
    throw std::invalid_argument{"no address: " + std::string{text}};
  return bytes;
}

Bytes addresses(int family, std::string_view source, std::string_view destination) {
  const std::size_t size = family == AF_INET ? 4 : 16;
  Bytes both = address(family, source, size);
  put(both, address(family, destination, size));
  return both;
}

// RFC 9293 3.1 for IPv4, RFC 8200 8.1 for IPv6.
Bytes pseudo_header(const Layer* ip, std::uint8_t protocol, std::size_t length_bytes) {
  if (ip == nullptr) return {};
  Bytes pseudo = ip->addresses;
  put32(pseudo, static_cast<std::uint32_t>(length_bytes));
  put32(pseudo, protocol);
  return pseudo;
}

unsigned complement(std::uint16_t sum) { return sum ^ 0xffffu; }

// A complete upper-layer packet: `header`, then `rest`, with its checksum at `offset`.
Bytes with_checksum(Bytes header, const Bytes& rest, const Bytes& pseudo, std::size_t offset,
                    std::optional<std::uint16_t> given, bool is_partial) {
  put(header, rest);
  if (given || is_partial) {
    set16(header, offset, given ? *given : slow_sum(pseudo));
    return header;
  }
  Bytes summed = pseudo;
  put(summed, header);
  set16(header, offset, complement(slow_sum(summed)));
  return header;
}

Bytes write_ipv4(const Ipv4Extra& extra, const Bytes& both, const Bytes& rest,
                 const Layer::Around& around) {
  const std::size_t header_bytes = 20 + extra.options.size();
  const unsigned words = extra.header_words.value_or(static_cast<std::uint8_t>(header_bytes / 4));
  Bytes out;
  put8(out, extra.version.value_or(std::uint8_t{4}) << 4 | words);
  put8(out, extra.tos);
  put16(out, extra.total_bytes.value_or(static_cast<std::uint16_t>(header_bytes + rest.size())));
  put16(out, extra.identification);
  put16(out, (extra.dont_fragment ? 0x4000u : 0u) | (extra.more_fragments ? 0x2000u : 0u) |
                 extra.fragment_offset_bytes / 8u);
  put8(out, extra.ttl);
  const std::uint8_t inner = around.inner != nullptr ? around.inner->protocol : kNoNextHeader;
  put8(out, extra.protocol.value_or(inner));
  put16(out, 0);
  put(out, both);
  put(out, extra.options);
  set16(out, 10, extra.checksum ? *extra.checksum : complement(slow_sum(out)));
  put(out, rest);
  return out;
}

Bytes write_ipv6(const Ipv6Extra& extra, const Bytes& both, const Bytes& rest,
                 const Layer::Around& around) {
  Bytes out;
  put32(out, std::uint32_t{extra.version.value_or(std::uint8_t{6})} << 28 |
                 std::uint32_t{extra.traffic_class} << 20 | extra.flow_label);
  put16(out, extra.payload_bytes.value_or(static_cast<std::uint16_t>(rest.size())));
  const std::uint8_t inner = around.inner != nullptr ? around.inner->protocol : kNoNextHeader;
  put8(out, extra.next_header.value_or(inner));
  put8(out, extra.hop_limit);
  put(out, both);
  put(out, rest);
  return out;
}

Bytes write_gre(const GreExtra& extra, const Bytes& rest, const Layer::Around& around) {
  Bytes out;
  put16(out, (extra.has_checksum ? 0x8000u : 0u) | (extra.key ? 0x2000u : 0u) |
                 (extra.sequence ? 0x1000u : 0u) | extra.extra_flags);
  const std::uint16_t inner = around.inner != nullptr ? around.inner->protocol_type : 0;
  put16(out, extra.protocol_type.value_or(inner));
  if (extra.has_checksum) put32(out, 0);
  if (extra.key) put32(out, *extra.key);
  if (extra.sequence) put32(out, *extra.sequence);
  if (extra.has_checksum) return with_checksum(out, rest, {}, 4, extra.checksum, false);
  put(out, rest);
  return out;
}

// The extension headers that begin with Next Header and a length.
Drawing extension(std::uint8_t protocol, std::size_t size_bytes, unsigned length_field) {
  return Layer{.protocol = protocol, .write = [=](const Bytes& rest, const Layer::Around& around) {
                 Bytes out;
                 put8(out, around.inner != nullptr ? around.inner->protocol : kNoNextHeader);
                 put8(out, length_field);
                 // A PadN option as long as the header, for those that carry options.
                 put8(out, 1);
                 put8(out, static_cast<unsigned>(size_bytes - 4));
                 put(out, Bytes(size_bytes - 4));
                 put(out, rest);
                 return out;
               }};
}

Drawing icmp(std::uint8_t protocol, std::uint8_t type, std::uint8_t code, std::uint32_t word,
             std::optional<std::uint16_t> checksum) {
  return Layer{.protocol = protocol, .write = [=](const Bytes& rest, const Layer::Around& around) {
                 Bytes out;
                 put8(out, type);
                 put8(out, code);
                 put16(out, 0);
                 put32(out, word);
                 const Bytes pseudo = protocol == kIcmpv6
                                          ? pseudo_header(around.ip, protocol, 8 + rest.size())
                                          : Bytes{};
                 return with_checksum(out, rest, pseudo, 2, checksum, false);
               }};
}

}  // namespace

Bytes hex(std::string_view digits) {
  Bytes bytes;
  int high = -1;
  for (const char character : digits) {
    if (character == ' ' || character == '\n') continue;
    const int digit = std::stoi(std::string{character}, nullptr, 16);
    if (high < 0) {
      high = digit;
    } else {
      put8(bytes, static_cast<unsigned>(high * 16 + digit));
      high = -1;
    }
  }
  if (high >= 0) throw std::invalid_argument{"half a byte at the end"};
  return bytes;
}

Bytes first(const Bytes& bytes, std::size_t count) {
  return {bytes.begin(),
          bytes.begin() + static_cast<std::ptrdiff_t>(std::min(count, bytes.size()))};
}
Bytes behind(const Bytes& bytes, std::size_t count) {
  return {bytes.begin() + static_cast<std::ptrdiff_t>(count), bytes.end()};
}

Bytes pattern(std::size_t count, unsigned seed) {
  Bytes bytes(count);
  for (std::size_t index = 0; index < count; ++index)
    bytes[index] = static_cast<std::byte>(seed + index * 7 + (index >> 8) * 31);
  return bytes;
}

std::uint16_t slow_sum(std::span<const std::byte> bytes) {
  std::uint64_t sum = 0;
  for (std::size_t index = 0; index < bytes.size(); ++index) {
    const auto value = std::to_integer<unsigned>(bytes[index]);
    sum += index % 2 == 0 ? value << 8 : value;
  }
  while (sum > 0xffff) sum = (sum >> 16) + (sum & 0xffff);
  return static_cast<std::uint16_t>(sum);
}

Drawing operator/(Drawing outer, const Drawing& inner) {
  outer.layers_.insert(outer.layers_.end(), inner.layers_.begin(), inner.layers_.end());
  return outer;
}

Bytes Drawing::bytes() const {
  Bytes packet;
  for (std::size_t index = layers_.size(); index-- > 0;) {
    Layer::Around around;
    if (index + 1 < layers_.size()) around.inner = &layers_[index + 1];
    for (std::size_t outer = 0; outer < index; ++outer)
      if (!layers_[outer].addresses.empty()) around.ip = &layers_[outer];
    packet = layers_[index].write(packet, around);
  }
  packet.shrink_to_fit();  // no spare room, so that a sanitizer detects reads beyond the end
  return packet;
}

Drawing ipv4(std::string_view source, std::string_view destination, Ipv4Extra extra) {
  const Bytes both = addresses(AF_INET, source, destination);
  return Layer{.protocol = kIpv4,
               .protocol_type = 0x0800,
               .addresses = both,
               .write = [=](const Bytes& rest, const Layer::Around& around) {
                 return write_ipv4(extra, both, rest, around);
               }};
}

Drawing ipv6(std::string_view source, std::string_view destination, Ipv6Extra extra) {
  const Bytes both = addresses(AF_INET6, source, destination);
  return Layer{.protocol = kIpv6,
               .protocol_type = 0x86dd,
               .addresses = both,
               .write = [=](const Bytes& rest, const Layer::Around& around) {
                 return write_ipv6(extra, both, rest, around);
               }};
}

Drawing hop_by_hop(std::size_t size_bytes) {
  return extension(kHopByHop, size_bytes, static_cast<unsigned>(size_bytes / 8 - 1));
}
Drawing routing(std::size_t size_bytes) {
  return extension(kRouting, size_bytes, static_cast<unsigned>(size_bytes / 8 - 1));
}
Drawing destination_options(std::size_t size_bytes) {
  return extension(kDestinationOptions, size_bytes, static_cast<unsigned>(size_bytes / 8 - 1));
}
Drawing authentication(std::size_t size_bytes) {
  return extension(kAuthentication, size_bytes, static_cast<unsigned>(size_bytes / 4 - 2));
}

Drawing fragment(std::uint16_t offset_bytes, bool more_fragments, std::uint32_t identification) {
  return Layer{.protocol = kFragment, .write = [=](const Bytes& rest, const Layer::Around& around) {
                 Bytes out;
                 put8(out, around.inner != nullptr ? around.inner->protocol : kNoNextHeader);
                 put8(out, 0);
                 put16(out, (offset_bytes & 0xfff8u) | (more_fragments ? 1u : 0u));
                 put32(out, identification);
                 put(out, rest);
                 return out;
               }};
}

Drawing gre(GreExtra extra) {
  return Layer{.protocol = kGre, .write = [=](const Bytes& rest, const Layer::Around& around) {
                 return write_gre(extra, rest, around);
               }};
}

Drawing tcp(std::uint16_t source_port, std::uint16_t destination_port, TcpExtra extra) {
  return Layer{.protocol = kTcp, .write = [=](const Bytes& rest, const Layer::Around& around) {
                 const std::size_t header_bytes = 20 + extra.options.size();
                 Bytes out;
                 put16(out, source_port);
                 put16(out, destination_port);
                 put32(out, extra.sequence);
                 put32(out, extra.acknowledgment);
                 put8(out, static_cast<unsigned>(header_bytes / 4) << 4);
                 put8(out, extra.flags);
                 put16(out, extra.window);
                 put32(out, 0);
                 put(out, extra.options);
                 const auto pseudo = pseudo_header(around.ip, kTcp, header_bytes + rest.size());
                 return with_checksum(out, rest, pseudo, 16, extra.checksum, extra.is_partial);
               }};
}

Drawing udp(std::uint16_t source_port, std::uint16_t destination_port, UdpExtra extra) {
  return Layer{.protocol = kUdp, .write = [=](const Bytes& rest, const Layer::Around& around) {
                 const auto length_bytes = static_cast<std::uint16_t>(8 + rest.size());
                 Bytes out;
                 put16(out, source_port);
                 put16(out, destination_port);
                 put16(out, extra.length_bytes.value_or(length_bytes));
                 put16(out, 0);
                 const auto pseudo = pseudo_header(around.ip, kUdp, length_bytes);
                 out = with_checksum(out, rest, pseudo, 6, extra.checksum, extra.is_partial);
                 const bool is_zero = out[6] == std::byte{0} && out[7] == std::byte{0};
                 if (is_zero && !extra.checksum) set16(out, 6, 0xffff);  // RFC 768
                 return out;
               }};
}

Drawing icmpv4(std::uint8_t type, std::uint8_t code, std::uint32_t word,
               std::optional<std::uint16_t> checksum) {
  return icmp(kIcmp, type, code, word, checksum);
}
Drawing icmpv6(std::uint8_t type, std::uint8_t code, std::uint32_t word,
               std::optional<std::uint16_t> checksum) {
  return icmp(kIcmpv6, type, code, word, checksum);
}

Drawing payload(std::size_t count) { return payload(pattern(count)); }
Drawing payload(Bytes bytes) {
  return Layer{.protocol = kNoNextHeader, .write = [=](const Bytes& rest, const Layer::Around&) {
                 Bytes out = bytes;
                 put(out, rest);
                 return out;
               }};
}

Drawing padded(const Drawing& packet, std::size_t padding_bytes) {
  Bytes bytes = packet.bytes();
  bytes.resize(bytes.size() + padding_bytes, std::byte{0xa5});
  return Layer{.protocol = packet.outermost().protocol,
               .protocol_type = packet.outermost().protocol_type,
               .write = [=](const Bytes&, const Layer::Around&) { return bytes; }};
}

}  // namespace culvert::test
