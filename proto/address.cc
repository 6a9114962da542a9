#include "proto/address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>

namespace culvert::proto {
namespace {

// inet_pton() needs a zero-terminated string. Every valid text is shorter than this buffer.
template <class Address>
std::optional<Address> parse_text(int family, std::string_view text) {
  std::array<char, INET6_ADDRSTRLEN> terminated{};
  if (text.size() >= terminated.size()) return std::nullopt;
  if (text.find('\0') != std::string_view::npos) return std::nullopt;
  std::copy(text.begin(), text.end(), terminated.begin());
  Address address;
  if (inet_pton(family, terminated.data(), address.bytes.data()) != 1) return std::nullopt;
  return address;
}

template <class Address>
std::string print_text(int family, const Address& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  inet_ntop(family, address.bytes.data(), text.data(), text.size());
  return text.data();
}

// Parses "0" to "128". Refuses signs and leading zeros, which some programs read as octal.
std::optional<std::uint8_t> parse_length(std::string_view text, std::size_t address_bits) {
  const bool has_leading_zero = text.size() > 1 && text.front() == '0';
  if (text.empty() || has_leading_zero) return std::nullopt;
  std::uint8_t length = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), length);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  if (length > address_bits) return std::nullopt;
  return length;
}

// The bits of the byte at `index` that belong to a prefix of `length_bits`.
std::byte prefix_mask(std::size_t index, std::size_t length_bits) noexcept {
  const std::size_t before = index * 8;
  const std::size_t bits =
      length_bits <= before ? 0 : std::min<std::size_t>(8, length_bits - before);
  return static_cast<std::byte>(0xff00u >> bits);
}

}  // namespace

std::optional<Ipv4Address> Ipv4Address::from_text(std::string_view text) {
  return parse_text<Ipv4Address>(AF_INET, text);
}

std::string Ipv4Address::to_text() const { return print_text(AF_INET, *this); }

std::optional<Ipv6Address> Ipv6Address::from_text(std::string_view text) {
  return parse_text<Ipv6Address>(AF_INET6, text);
}

std::string Ipv6Address::to_text() const { return print_text(AF_INET6, *this); }

bool Ipv6Address::is_unspecified() const noexcept {
  return (load<std::uint64_t>(bytes) | load<std::uint64_t>(bytes, 8)) == 0;
}

bool Ipv6Address::is_loopback() const noexcept {
  Ipv6Address loopback;
  loopback.bytes[15] = std::byte{1};
  return *this == loopback;
}

bool Ipv6Address::is_ipv4_compatible_or_mapped() const noexcept {
  const auto high = load<std::uint64_t>(bytes);
  const auto middle = load_be32(bytes, 8);
  return high == 0 && (middle == 0 || middle == 0xffff);
}

Ipv6Address tunnel_link_local(Ipv4Address local) noexcept {
  Ipv6Address address;
  address.bytes[0] = std::byte{0xfe};
  address.bytes[1] = std::byte{0x80};
  std::copy(local.bytes.begin(), local.bytes.end(), address.bytes.begin() + 12);
  return address;
}

template <class Address>
std::optional<WithLength<Address>> WithLength<Address>::from_text(std::string_view text) {
  constexpr std::size_t kBits = sizeof(Address::bytes) * 8;
  const std::size_t slash = text.find('/');
  const auto address = Address::from_text(text.substr(0, slash));
  if (!address) return std::nullopt;
  if (slash == std::string_view::npos) return WithLength{*address, std::uint8_t{kBits}};
  const auto length = parse_length(text.substr(slash + 1), kBits);
  if (!length) return std::nullopt;
  return WithLength{*address, *length};
}

template <class Address>
std::string WithLength<Address>::to_text() const {
  return address.to_text() + '/' + std::to_string(length_bits);
}

template <class Address>
bool WithLength<Address>::contains(const Address& other) const noexcept {
  for (std::size_t index = 0; index < address.bytes.size(); ++index) {
    const std::byte difference = address.bytes[index] ^ other.bytes[index];
    if ((difference & prefix_mask(index, length_bits)) != std::byte{0}) return false;
  }
  return true;
}

template <class Address>
bool WithLength<Address>::has_host_bits() const noexcept {
  for (std::size_t index = 0; index < address.bytes.size(); ++index) {
    if ((address.bytes[index] & ~prefix_mask(index, length_bits)) != std::byte{0}) return true;
  }
  return false;
}

template <class Address>
WithLength<Address> WithLength<Address>::network() const noexcept {
  WithLength network = *this;
  for (std::size_t index = 0; index < address.bytes.size(); ++index) {
    network.address.bytes[index] &= prefix_mask(index, length_bits);
  }
  return network;
}

template struct WithLength<Ipv4Address>;
template struct WithLength<Ipv6Address>;

}  // namespace culvert::proto
