// IPv4 directly in IPv4, protocol 4 (RFC 2003). Pure functions; any thread.
#pragma once

#include <array>

#include "proto/ip_in_ip.h"
#include "proto/ipv4.h"

namespace culvert::proto {

struct Ipip : IpInIp<Ipip> {
  static constexpr std::string_view kName = "ipip";
  static constexpr std::array<std::string_view, 1> kAliases{"ip/ip"};
  static constexpr std::array<std::string_view, 6> kForeignNames{"4in4",   "ip4ip4", "ip4ip",
                                                                 "ipv4ip", "ipip4",  "tunl"};
  static constexpr std::string_view kHelp = "IPv4 in IPv4, protocol 4 (RFC 2003)";
  static constexpr std::array kDemux{
      DemuxRule{.ip_protocol = kProtocolIpv4, .protocol_type = kProtocolTypeIpv4}};
};
static_assert(Encapsulation<Ipip>);

}  // namespace culvert::proto
