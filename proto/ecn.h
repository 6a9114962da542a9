// ECN and DSCP across a tunnel (RFC 6040, updated by RFC 9601; RFC 2983). Pure functions; any
// thread.
#pragma once

#include <cstdint>
#include <optional>

namespace culvert::proto {

/// The ECN field: the two low bits of the IPv4 TOS and of the IPv6 Traffic Class. RFC 3168 5.
enum class Ecn : std::uint8_t { not_ect = 0, ect1 = 1, ect0 = 2, ce = 3 };

/// `tos`: IPv4 TOS or IPv6 Traffic Class.
[[nodiscard]] constexpr Ecn ecn_of(std::uint8_t tos) noexcept { return static_cast<Ecn>(tos & 3); }
[[nodiscard]] constexpr std::uint8_t with_ecn(std::uint8_t tos, Ecn ecn) noexcept {
  return static_cast<std::uint8_t>((tos & ~3u) | static_cast<unsigned>(ecn));
}

/// How the tunnel ingress (encapsulator) sets the outer ECN field. RFC 6040 4.1, 4.3.
enum class EcnMode : std::uint8_t {
  normal,         ///< copy the inner field
  compatibility,  ///< Not-ECT, for a remote endpoint that may not combine the fields
};

/// The ECN field of the outer header. RFC 6040 4.1, figure 3.
[[nodiscard]] constexpr Ecn outer_ecn(Ecn inner, EcnMode mode) noexcept {
  return mode == EcnMode::normal ? inner : Ecn::not_ect;
}

/// The result of combining both fields at the tunnel egress (decapsulator). RFC 6040 4.2, figure 4.
struct CombinedEcn {
  Ecn inner = Ecn::not_ect;   ///< the field of the forwarded packet
  bool is_anomalous = false;  ///< RFC 6040 4.2 marks it (!!!) or (!): count it, do not drop it
};
/// Combines both fields. Empty: drop the packet (outer CE and inner Not-ECT, which cannot carry the
/// mark).
[[nodiscard]] constexpr std::optional<CombinedEcn> combine_ecn(Ecn outer, Ecn inner) noexcept {
  switch (inner) {
    case Ecn::not_ect:
      if (outer == Ecn::ce) return std::nullopt;
      return CombinedEcn{Ecn::not_ect, outer != Ecn::not_ect};
    case Ecn::ect0:
      return CombinedEcn{outer == Ecn::not_ect ? inner : outer, false};
    case Ecn::ect1:
      return CombinedEcn{outer == Ecn::ce ? outer : inner, outer == Ecn::ect0};
    case Ecn::ce:
      break;
  }
  return CombinedEcn{Ecn::ce, outer == Ecn::ect1};
}

}  // namespace culvert::proto
