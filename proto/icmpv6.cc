#include "proto/icmpv6.h"

#include <algorithm>

#include "proto/checksum.h"
#include "proto/ipv4.h"

namespace culvert::proto {

bool may_answer_with_icmpv6_error(const Ipv6Packet& offending, std::uint8_t type) noexcept {
  if (offending.source.is_unspecified() || offending.source.is_multicast()) return false;
  if (offending.destination.is_multicast() && type != kIcmpv6PacketTooBig) return false;
  const auto upper = find_upper_layer(offending);
  if (!upper) return false;
  if (upper->is_fragment && !upper->is_first_fragment) return false;
  if (upper->protocol != kProtocolIcmpv6) return true;
  if (upper->offset_bytes >= offending.bytes.size()) return false;
  const std::uint8_t offending_type = load_u8(offending.bytes, upper->offset_bytes);
  const bool is_informational = (offending_type & 0x80) != 0;  // RFC 4443 2.1
  return is_informational && offending_type != kIcmpv6Redirect;
}

std::size_t build_icmpv6_error(std::span<std::byte> out, const Ipv6Address& source,
                               const Ipv6Address& destination, std::uint8_t type, std::uint8_t code,
                               std::uint32_t parameter,
                               std::span<const std::byte> offending) noexcept {
  constexpr std::size_t kHeadersBytes = kIpv6HeaderBytes + kIcmpv6HeaderBytes;
  const std::size_t quoted_bytes = std::min(offending.size(), kIcmpv6ErrorMaxBytes - kHeadersBytes);
  const auto message_bytes = static_cast<std::uint16_t>(kIcmpv6HeaderBytes + quoted_bytes);
  build_ipv6(out.first<kIpv6HeaderBytes>(), {.source = source,
                                             .destination = destination,
                                             .traffic_class = 0,
                                             .next_header = kProtocolIcmpv6,
                                             .hop_limit = 64,
                                             .payload_bytes = message_bytes});
  const auto message = out.subspan(kIpv6HeaderBytes, message_bytes);
  store_be32(message, 0, std::uint32_t{type} << 24 | std::uint32_t{code} << 16);
  store_be32(message, 4, parameter);
  std::copy_n(offending.begin(), quoted_bytes, message.begin() + kIcmpv6HeaderBytes);
  const auto pseudo = pseudo_header_sum(source, destination, kProtocolIcmpv6, message_bytes);
  store(message, 2, finish(pseudo + sum(message)));
  return kIpv6HeaderBytes + message_bytes;
}

void build_icmpv6_echo_request(std::span<std::byte, kIcmpv6EchoRequestBytes> out,
                               const Ipv6Address& source, const Ipv6Address& destination) noexcept {
  build_ipv6(out.first<kIpv6HeaderBytes>(), {.source = source,
                                             .destination = destination,
                                             .traffic_class = 0,
                                             .next_header = kProtocolIcmpv6,
                                             .hop_limit = 64,
                                             .payload_bytes = kIcmpv6HeaderBytes});
  const auto message = out.subspan<kIpv6HeaderBytes>();
  store_be32(message, 0, std::uint32_t{kIcmpv6EchoRequest} << 24);
  store_be32(message, 4, 0);
  const auto pseudo = pseudo_header_sum(source, destination, kProtocolIcmpv6, kIcmpv6HeaderBytes);
  store(message, 2, finish(pseudo + sum(message)));
}

}  // namespace culvert::proto
