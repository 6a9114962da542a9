// Encapsulation: the concept that every encapsulation satisfies. proto/six_in_four.h and
// proto/gre.h define the encapsulations, engine/model/encapsulations.h lists them. proto/README.md
// has the steps for a new encapsulation. Pure functions; any thread.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "proto/demux.h"
#include "proto/link_type.h"
#include "proto/parameter_option.h"
#include "proto/parsed.h"

namespace culvert::proto {

/// EtherTypes of payload packets, host byte order. RFC 2784 2.4, RFC 7676 3.1.
inline constexpr std::uint16_t kProtocolTypeIpv4 = 0x0800, kProtocolTypeIpv6 = 0x86dd;

/// A 32-bit field that may be absent. std::optional would keep its value in a union, which g++ 12
/// copies through memory: decapsulate() took 11 ns with std::optional and takes 3 ns with this.
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

/// The result of decapsulate(). `packet` is a view into the datagram; fields are in host byte
/// order.
struct Payload {
  std::span<const std::byte> packet;  ///< the payload packet, padding included
  std::uint16_t protocol_type = 0;
  OptionalWord key;
  OptionalWord sequence;
  bool had_checksum = false;
};

/// A payload packet to encapsulate, in two pieces: `head` (its headers) and `tail`, which may lie
/// elsewhere (the payload of a GSO segment). `head` has an even size, or `tail` is empty.
struct PayloadParts {
  std::span<const std::byte> head;
  std::span<const std::byte> tail;
  std::uint16_t protocol_type = 0;
};

/// How the kernel can segment a super-packet behind the headers of an encapsulation. The values
/// stand for gso_type of the kernel's sk_buff.
enum class KernelGso : std::uint8_t {
  none,  ///< it cannot
  ip,    ///< SKB_GSO_IPXIP4: the payload packet follows the outer header
  gre,   ///< SKB_GSO_GRE
};

/// One encapsulation: a type without state. key_in() identifies the tunnel of an inbound packet. An
/// ICMP error that quotes our packet contains key_out().
template <class E>
concept Encapsulation = std::equality_comparable<typename E::Parameters> &&
    requires(std::span<const std::byte> datagram, std::span<std::byte> header,
             const DemuxRule& rule, const PayloadParts& payload,
             const typename E::Parameters& parameters) {
  // The value of the option `mode`.
  { E::kName } -> std::convertible_to<std::string_view>;
  // How received packets are recognized: an array of DemuxRule. Encapsulations may share a rule if
  // they agree on what follows the outer header.
  {std::span<const DemuxRule>{E::kDemux}};
  // What its payload packets begin with. All tunnels of a device have the same link type.
  { E::kLinkType } -> std::convertible_to<LinkType>;
  // How the kernel segments super-packets, where all their segments have the same header.
  { E::kGso } -> std::convertible_to<KernelGso>;
  // Whether it carries this protocol type (an EtherType), and the size of its header.
  { E::carries(std::uint16_t{}) } -> std::same_as<bool>;
  { E::kMaxOverheadBytes } -> std::convertible_to<std::size_t>;
  { E::overhead_bytes(parameters) } -> std::same_as<std::size_t>;

  // `rule`: the one of kDemux by which the packet was recognized.
  { E::decapsulate(datagram, ChecksumCheck::verify, rule) } -> std::same_as<Parsed<Payload>>;
  { E::encapsulate(header, parameters, std::uint32_t{}, payload) } -> std::same_as<void>;

  // The fields that a tunnel with these parameters sends, and those that it requires.
  { E::key_in(parameters) } -> std::same_as<std::optional<std::uint32_t>>;
  { E::key_out(parameters) } -> std::same_as<std::optional<std::uint32_t>>;
  { E::sends_sequence(parameters) } -> std::same_as<bool>;
  // Whether all packets of one protocol type have the same header, which allows kernel GSO.
  { E::has_constant_header(parameters) } -> std::same_as<bool>;
  { E::wants_sequence(parameters) } -> std::same_as<bool>;
  { E::wants_checksum(parameters) } -> std::same_as<bool>;

  // For programs and their users: other names that `mode` accepts (those of iproute2), names of other
  // systems that it refuses with a hint at kName (in lower case), one line of help, and the options
  // of the parameters in the order of a help text.
  { E::kAliases } -> std::convertible_to<std::span<const std::string_view>>;
  { E::kForeignNames } -> std::convertible_to<std::span<const std::string_view>>;
  { E::kHelp } -> std::convertible_to<std::string_view>;
  { E::kOptions } -> std::convertible_to<std::span<const ParameterOption<typename E::Parameters>>>;
};

}  // namespace culvert::proto
