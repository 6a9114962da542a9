// bad_checksum(): parses a packet and verifies every checksum in it.
#include <algorithm>

#include "tests/support/packet_builder.h"

namespace culvert::test {
namespace {

using View = std::span<const std::byte>;

unsigned u8(View bytes, std::size_t offset) { return std::to_integer<unsigned>(bytes[offset]); }
unsigned u16(View bytes, std::size_t offset) {
  return u8(bytes, offset) << 8 | u8(bytes, offset + 1);
}

std::string walk_ip(View packet);

// The pseudo-header of either IP version, then the packet.
bool verifies(View addresses, unsigned protocol, View upper) {
  Bytes summed(addresses.begin(), addresses.end());
  const std::size_t size = upper.size();
  for (const unsigned value : {0u, 0u, static_cast<unsigned>(size >> 8),
                               static_cast<unsigned>(size), 0u, 0u, 0u, protocol})
    summed.push_back(static_cast<std::byte>(value));
  summed.insert(summed.end(), upper.begin(), upper.end());
  return slow_sum(summed) == 0xffff;
}

std::string walk_gre(View bytes) {
  if (bytes.size() < 4) return "";
  const unsigned flags = u16(bytes, 0);
  if ((flags & 0x8000) != 0 && slow_sum(bytes) != 0xffff) return "GRE";
  const std::size_t size = 4 + ((flags & 0x8000) != 0 ? 4 : 0) + ((flags & 0x2000) != 0 ? 4 : 0) +
                           ((flags & 0x1000) != 0 ? 4 : 0);
  return walk_ip(bytes.subspan(std::min(size, bytes.size())));
}

std::string walk_upper(unsigned protocol, View addresses, View upper) {
  const bool is_ipv4 = addresses.size() == 8;
  switch (protocol) {
    case 1:
      return slow_sum(upper) == 0xffff ? "" : "ICMPv4";
    case 4:
    case 41:
      return walk_ip(upper);
    case 6:
      return verifies(addresses, protocol, upper) ? "" : "TCP";
    case 17: {
      if (upper.size() < 8) return "";
      if (u16(upper, 6) == 0) return is_ipv4 ? "" : "UDP without checksum over IPv6";
      const std::size_t length = std::min<std::size_t>(u16(upper, 4), upper.size());
      return verifies(addresses, protocol, upper.first(length)) ? "" : "UDP";
    }
    case 47:
      return walk_gre(upper);
    case 58:
      return verifies(addresses, protocol, upper) ? "" : "ICMPv6";
    default:
      return "";
  }
}

std::string walk_ipv4(View packet) {
  if (packet.size() < 20) return "";
  const std::size_t header_bytes = (u8(packet, 0) & 0xf) * 4;
  if (slow_sum(packet.first(std::min(header_bytes, packet.size()))) != 0xffff) return "IPv4 header";
  const bool is_fragment = (u16(packet, 6) & 0x3fff) != 0;
  const std::size_t total_bytes = std::min<std::size_t>(u16(packet, 2), packet.size());
  if (is_fragment || total_bytes < header_bytes) return "";
  return walk_upper(u8(packet, 9), packet.subspan(12, 8),
                    packet.subspan(header_bytes, total_bytes - header_bytes));
}

std::string walk_ipv6(View packet) {
  if (packet.size() < 40) return "";
  packet = packet.first(std::min<std::size_t>(packet.size(), 40u + u16(packet, 4)));
  unsigned protocol = u8(packet, 6);
  View rest = packet.subspan(40);
  while (protocol == 0 || protocol == 43 || protocol == 60) {
    if (rest.size() < 8) return "";
    const std::size_t size = (u8(rest, 1) + 1) * 8;
    protocol = u8(rest, 0);
    rest = rest.subspan(std::min(size, rest.size()));
  }
  return walk_upper(protocol, packet.subspan(8, 32), rest);
}

std::string walk_ip(View packet) {
  if (packet.empty()) return "";
  return u8(packet, 0) >> 4 == 4 ? walk_ipv4(packet) : walk_ipv6(packet);
}

}  // namespace

std::string bad_checksum(View packet) { return walk_ip(packet); }

}  // namespace culvert::test
