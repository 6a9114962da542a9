// 6in4: IPv6 directly in IPv4, protocol 41 (RFC 4213 3). Pure functions; any thread.
#pragma once

#include <array>

#include "proto/ip_in_ip.h"
#include "proto/ipv4.h"

namespace culvert::proto {

struct SixInFour : IpInIp<SixInFour> {
  static constexpr std::string_view kName = "sit";
  static constexpr std::array<std::string_view, 1> kAliases{"ipv6/ip"};
  static constexpr std::array<std::string_view, 8> kForeignNames{
      "6in4", "6-in-4", "ipv6ip", "ip6ip", "ipip6", "ip6ip4", "v4tunnel", "gif"};
  static constexpr std::string_view kHelp = "IPv6 in IPv4, protocol 41 (RFC 4213)";
  static constexpr std::array kDemux{
      DemuxRule{.ip_protocol = kProtocolIpv6, .protocol_type = kProtocolTypeIpv6}};
};
static_assert(Encapsulation<SixInFour>);

}  // namespace culvert::proto
