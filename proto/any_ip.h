// Both IP versions directly in IPv4, on one device: protocol 41 (RFC 4213) and protocol 4
// (RFC 2003), as a sit device of Linux with `mode any`. Pure functions; any thread.
#pragma once

#include "proto/ipip.h"
#include "proto/six_in_four.h"

namespace culvert::proto {

struct AnyIp : IpInIp<AnyIp> {
  static constexpr std::string_view kName = "any";
  static constexpr std::array<std::string_view, 0> kAliases{};
  static constexpr std::array<std::string_view, 1> kForeignNames{"any/ip"};
  static constexpr std::string_view kHelp = "both sit and ipip on one device";
  static constexpr std::array kDemux{SixInFour::kDemux.front(), Ipip::kDemux.front()};
};
static_assert(Encapsulation<AnyIp>);

}  // namespace culvert::proto
