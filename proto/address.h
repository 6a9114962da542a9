// IPv4 and IPv6 addresses and prefixes: conversion from and to text, and classification. Plain
// values in network byte order; any thread.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "proto/byte_order.h"

namespace culvert::proto {

/// An IPv4 address: four bytes in network byte order.
struct Ipv4Address {
  std::array<std::byte, 4> bytes{};

  /// Parses a dotted quad ("192.0.2.1"). Empty for names and short forms. RFC 6943 3.1.1.
  [[nodiscard]] static std::optional<Ipv4Address> from_text(std::string_view text);
  [[nodiscard]] static constexpr Ipv4Address from_host(std::uint32_t value) noexcept {
    return {
        {std::byte(value >> 24), std::byte(value >> 16), std::byte(value >> 8), std::byte(value)}};
  }
  [[nodiscard]] std::string to_text() const;
  [[nodiscard]] constexpr std::uint32_t host() const noexcept {
    return std::to_integer<std::uint32_t>(bytes[0]) << 24 |
           std::to_integer<std::uint32_t>(bytes[1]) << 16 |
           std::to_integer<std::uint32_t>(bytes[2]) << 8 | std::to_integer<std::uint32_t>(bytes[3]);
  }
  [[nodiscard]] constexpr bool is_unspecified() const noexcept { return host() == 0; }
  [[nodiscard]] constexpr bool is_loopback() const noexcept { return host() >> 24 == 127; }
  [[nodiscard]] constexpr bool is_multicast() const noexcept { return host() >> 28 == 0xe; }
  /// 240.0.0.0/4, which includes the limited broadcast address. RFC 1112 4, RFC 919 7.
  [[nodiscard]] constexpr bool is_reserved() const noexcept { return host() >> 28 == 0xf; }
  friend constexpr auto operator<=>(const Ipv4Address&, const Ipv4Address&) = default;
};

/// An IPv6 address: sixteen bytes in network byte order.
struct Ipv6Address {
  std::array<std::byte, 16> bytes{};

  /// Parses every form of RFC 4291 2.2. Empty for an address with a zone.
  [[nodiscard]] static std::optional<Ipv6Address> from_text(std::string_view text);
  /// The canonical form of RFC 5952.
  [[nodiscard]] std::string to_text() const;
  [[nodiscard]] bool is_unspecified() const noexcept;
  [[nodiscard]] bool is_loopback() const noexcept;
  [[nodiscard]] constexpr bool is_multicast() const noexcept { return bytes[0] == std::byte{0xff}; }
  [[nodiscard]] constexpr bool is_link_local() const noexcept {
    return bytes[0] == std::byte{0xfe} && (bytes[1] & std::byte{0xc0}) == std::byte{0x80};
  }
  /// An address that embeds an IPv4 address: ::/96 (with ::) or ::ffff:0:0/96. RFC 4291 2.5.5.
  [[nodiscard]] bool is_ipv4_compatible_or_mapped() const noexcept;
  friend constexpr auto operator<=>(const Ipv6Address&, const Ipv6Address&) = default;
};

/// The link-local address of a tunnel endpoint: fe80::/64 with the endpoint's IPv4 address as the
/// low 32 bits of the interface identifier. RFC 4213 3.7.
[[nodiscard]] Ipv6Address tunnel_link_local(Ipv4Address local) noexcept;

/// The IPv4-mapped IPv6 address ::ffff:0:0/96 of an IPv4 address. RFC 4291 2.5.5.2.
[[nodiscard]] inline Ipv6Address ipv4_mapped(Ipv4Address address) noexcept {
  Ipv6Address result;
  result.bytes[10] = result.bytes[11] = std::byte{0xff};
  store(std::span{result.bytes}, 12, address);
  return result;
}

/// An address with a prefix length. Host bits are kept, as for an interface address.
template <class Address>
struct WithLength {
  Address address;
  std::uint8_t length_bits = 0;

  /// Parses "ADDRESS/LENGTH". Without "/LENGTH" the length is 32 or 128. Empty if malformed.
  [[nodiscard]] static std::optional<WithLength> from_text(std::string_view text);
  [[nodiscard]] std::string to_text() const;
  [[nodiscard]] bool contains(const Address& other) const noexcept;
  [[nodiscard]] bool has_host_bits() const noexcept;
  /// The same prefix with all host bits 0.
  [[nodiscard]] WithLength network() const noexcept;
  friend constexpr auto operator<=>(const WithLength&, const WithLength&) = default;
};
using Ipv4Prefix = WithLength<Ipv4Address>;
using Ipv6Prefix = WithLength<Ipv6Address>;

}  // namespace culvert::proto
