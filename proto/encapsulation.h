// What every encapsulation offers: the concept that proto/six_in_four.h and proto/gre.h fulfil and
// that engine/model/encapsulations.h lists. A new encapsulation needs nothing else. Any thread.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "proto/parsed.h"

namespace culvert::proto {

/// EtherTypes of payload packets, host byte order. RFC 2784 2.4, RFC 7676 3.1.
inline constexpr std::uint16_t kProtocolTypeIpv4 = 0x0800, kProtocolTypeIpv6 = 0x86dd;

/// A 32-bit field that may be absent. As std::optional, but for one thing: that keeps its value in
/// a union, which g++ 12 copies through memory; decapsulate() took 11 ns with it and takes 3
/// without.
class OptionalWord {
 public:
  constexpr OptionalWord() = default;
  constexpr OptionalWord(std::nullopt_t) noexcept {}
  constexpr OptionalWord(std::uint32_t value) noexcept : value_(value), has_value_(true) {}
  constexpr operator std::optional<std::uint32_t>() const noexcept {
    return has_value_ ? std::optional{value_} : std::nullopt;
  }
  [[nodiscard]] constexpr bool has_value() const noexcept { return has_value_; }
  constexpr explicit operator bool() const noexcept { return has_value_; }
  [[nodiscard]] constexpr std::uint32_t operator*() const noexcept { return value_; }
  friend constexpr bool operator==(OptionalWord, OptionalWord) = default;
  friend constexpr bool operator==(OptionalWord a, std::uint32_t b) noexcept {
    return a == OptionalWord{b};
  }
  friend constexpr bool operator==(OptionalWord a, std::optional<std::uint32_t> b) noexcept {
    return std::optional<std::uint32_t>{a} == b;
  }

 private:
  std::uint32_t value_ = 0;  // 0 if absent, so that absent fields are equal
  bool has_value_ = false;
};

/// What was found behind the outer header. Views into the datagram; fields in host byte order.
struct Payload {
  std::span<const std::byte> packet;  ///< the payload packet, padding included
  std::uint16_t protocol_type = 0;
  OptionalWord key;
  OptionalWord sequence;
  bool had_checksum = false;
};

/// A payload packet that is to be encapsulated: its header block and the rest, which may lie
/// elsewhere (a segment of a super-packet). `head` has an even size, or `tail` is empty.
struct PayloadParts {
  std::span<const std::byte> head;
  std::span<const std::byte> tail;
  std::uint16_t protocol_type = 0;
};

/// One encapsulation: a type without state. Inbound, key_in() tells tunnels apart; an ICMP error
/// that quotes our packet has key_out().
template <class E>
concept Encapsulation = std::equality_comparable<typename E::Parameters> &&
    requires(std::span<const std::byte> datagram, std::span<std::byte> header,
             const PayloadParts& payload, const typename E::Parameters& parameters) {
  // The word for `mode`, and the protocol of the outer header.
  { E::kName } -> std::convertible_to<std::string_view>;
  { E::kIpProtocol } -> std::convertible_to<std::uint8_t>;
  // What it can carry, and the bytes between the outer header and that.
  { E::carries(std::uint16_t{}) } -> std::same_as<bool>;
  { E::kMaxOverheadBytes } -> std::convertible_to<std::size_t>;
  { E::overhead_bytes(parameters) } -> std::same_as<std::size_t>;

  { E::decapsulate(datagram, ChecksumCheck::verify) } -> std::same_as<Parsed<Payload>>;
  { E::encapsulate(header, parameters, std::uint32_t{}, payload) } -> std::same_as<void>;

  // What a tunnel with these parameters sends and asks for.
  { E::key_in(parameters) } -> std::same_as<std::optional<std::uint32_t>>;
  { E::key_out(parameters) } -> std::same_as<std::optional<std::uint32_t>>;
  { E::sends_sequence(parameters) } -> std::same_as<bool>;
  // Whether all packets of one protocol type have the same header.
  { E::has_constant_header(parameters) } -> std::same_as<bool>;
  { E::wants_sequence(parameters) } -> std::same_as<bool>;
  { E::wants_checksum(parameters) } -> std::same_as<bool>;
};

}  // namespace culvert::proto
