#include "proto/icmpv4.h"

#include <algorithm>
#include <array>

#include "proto/checksum.h"

namespace culvert::proto {

Parsed<Icmpv4Error> parse_icmpv4_error(std::span<const std::byte> message) noexcept {
  if (message.size() < kIcmpv4HeaderBytes) return Unexpected{Malformed::truncated};
  const std::uint8_t type = load_u8(message, 0);
  const std::uint8_t code = load_u8(message, 1);
  if (!is_icmpv4_error_type(type)) return Unexpected{Malformed::unknown_protocol_type};
  if (!verifies(sum(message))) return Unexpected{Malformed::bad_checksum};

  // RFC 4884 4: extensions may follow the quoted packet; then byte 5 is its length in 32-bit words.
  const bool may_be_extended = type == kIcmpv4DestinationUnreachable ||
                               type == kIcmpv4TimeExceeded || type == kIcmpv4ParameterProblem;
  const std::size_t stated_bytes = may_be_extended ? load_u8(message, 5) * 4u : 0;
  const auto rest = message.subspan(kIcmpv4HeaderBytes);
  const bool is_fragmentation_needed =
      type == kIcmpv4DestinationUnreachable && code == kIcmpv4CodeFragmentationNeeded;
  return Icmpv4Error{
      .type = type,
      .code = code,
      .next_hop_mtu_bytes = is_fragmentation_needed ? load_be16(message, 6) : std::uint16_t{0},
      .quoted = stated_bytes == 0 ? rest : rest.first(std::min(rest.size(), stated_bytes))};
}

bool is_icmpv4_error_type(std::uint8_t type) noexcept {
  switch (type) {
    case kIcmpv4DestinationUnreachable:
    case kIcmpv4SourceQuench:
    case kIcmpv4Redirect:
    case kIcmpv4TimeExceeded:
    case kIcmpv4ParameterProblem:
      return true;
    default:
      return false;
  }
}

bool may_answer_with_icmpv4_error(const Ipv4Packet& offending) noexcept {
  if (offending.fragment_offset_bytes != 0) return false;
  if (offending.destination.is_multicast() || offending.destination.is_reserved()) return false;
  const Ipv4Address source = offending.source;
  const bool is_one_host = !source.is_unspecified() && !source.is_loopback() &&
                           !source.is_multicast() && !source.is_reserved();
  if (!is_one_host) return false;
  if (offending.protocol != kProtocolIcmp) return true;
  return !offending.payload.empty() && !is_icmpv4_error_type(load_u8(offending.payload, 0));
}

std::size_t build_icmpv4_error(std::span<std::byte> out, Ipv4Address source,
                               Ipv4Address destination, std::uint8_t type, std::uint8_t code,
                               std::uint16_t next_hop_mtu_bytes,
                               std::span<const std::byte> offending) noexcept {
  constexpr std::size_t kMaxBytes = 576;
  constexpr std::uint8_t kInternetworkControl = 0xc0;  // RFC 1812 4.3.2.5
  constexpr std::size_t kHeadersBytes = kIpv4HeaderBytes + kIcmpv4HeaderBytes;
  const std::size_t quoted_bytes = std::min(offending.size(), kMaxBytes - kHeadersBytes);
  const std::size_t total_bytes = kHeadersBytes + quoted_bytes;
  build_ipv4(out.first<kIpv4HeaderBytes>(),
             {.source = source,
              .destination = destination,
              .protocol = kProtocolIcmp,
              .tos = kInternetworkControl,
              .ttl = 64,
              .identification = 0,
              .dont_fragment = true,  // with DF no identification is needed: RFC 6864 4.1
              .total_bytes = static_cast<std::uint16_t>(total_bytes)});
  const auto message = out.subspan(kIpv4HeaderBytes, kIcmpv4HeaderBytes + quoted_bytes);
  store_be32(message, 0, std::uint32_t{type} << 24 | std::uint32_t{code} << 16);
  store_be32(message, 4, next_hop_mtu_bytes);
  std::copy_n(offending.begin(), quoted_bytes, message.begin() + kIcmpv4HeaderBytes);
  store(message, 2, finish(sum(message)));
  return total_bytes;
}

std::uint16_t next_lower_plateau(std::uint16_t total_bytes) noexcept {
  constexpr std::array<std::uint16_t, 10> kPlateaus = {32000, 17914, 8166, 4352, 2002,
                                                       1492,  1006,  508,  296,  68};
  const auto lower = std::find_if(kPlateaus.begin(), kPlateaus.end(),
                                  [=](std::uint16_t plateau) { return plateau < total_bytes; });
  return lower == kPlateaus.end() ? kPlateaus.back() : *lower;
}

}  // namespace culvert::proto
