// RemoteRule: how a tunnel knows its remote endpoint. A plain value; any thread.
#pragma once

#include <cassert>
#include <cstdint>
#include <string>

#include "proto/address.h"

namespace culvert {

class RemoteRule {
 public:
  /// `any`: every outer source that sends with the right local address and key.
  constexpr RemoteRule() noexcept = default;
  /// One address. 0.0.0.0 is `any`, as in iproute2.
  constexpr RemoteRule(const proto::Ipv4Address& address) noexcept
      : kind_(address.is_unspecified() ? Kind::any : Kind::fixed), address_(address) {}

  [[nodiscard]] constexpr bool is_any() const noexcept { return kind_ == Kind::any; }
  /// The remote endpoint is the same for all packets and known in advance.
  [[nodiscard]] constexpr bool is_fixed() const noexcept { return kind_ == Kind::fixed; }
  /// Only with is_fixed().
  [[nodiscard]] constexpr const proto::Ipv4Address& address() const noexcept {
    assert(is_fixed());
    return address_;
  }
  /// The fixed address, or `other` where the rule gives none.
  [[nodiscard]] constexpr proto::Ipv4Address address_or(
      const proto::Ipv4Address& other) const noexcept {
    return is_fixed() ? address_ : other;
  }
  /// As it is configured: "192.0.2.1" or "any".
  [[nodiscard]] std::string to_text() const { return is_fixed() ? address_.to_text() : "any"; }

  friend constexpr auto operator<=>(const RemoteRule&, const RemoteRule&) = default;

 private:
  enum class Kind : std::uint8_t { any, fixed };

  Kind kind_ = Kind::any;
  proto::Ipv4Address address_;
};

}  // namespace culvert
