// Generic Routing Encapsulation (RFC 2784) with key and sequence number (RFC 2890), carrying IPv4
// and IPv6 (RFC 7676). Pure functions; any thread.
#pragma once

#include "proto/encapsulation.h"
#include "proto/ipv4.h"

namespace culvert::proto {

struct Gre {
  static constexpr std::string_view kName = "gre";
  static constexpr std::uint8_t kIpProtocol = kProtocolGre;
  static constexpr std::size_t kMaxOverheadBytes = 16;

  /// What a tunnel sends and expects; the words are those of `ip link add type gre`.
  struct Parameters {
    std::optional<std::uint32_t> ikey;  ///< absent and 0 differ: RFC 2890 2.1
    std::optional<std::uint32_t> okey;
    bool icsum =
        false;  ///< packets without a checksum are dropped; with one they are always verified
    bool ocsum = false;
    bool iseq = false;  ///< packets without a sequence number, or with an old one, are dropped
    bool oseq = false;
    friend bool operator==(const Parameters&, const Parameters&) = default;
  };

  [[nodiscard]] static constexpr bool carries(std::uint16_t protocol_type) noexcept {
    return protocol_type == kProtocolTypeIpv4 || protocol_type == kProtocolTypeIpv6;
  }
  /// 4 to 16: the header and the optional fields that are sent.
  [[nodiscard]] static constexpr std::size_t overhead_bytes(const Parameters& parameters) noexcept {
    return 4 + 4 * (std::size_t{parameters.ocsum} + parameters.okey.has_value() + parameters.oseq);
  }

  /// Removes the GRE header in front of a payload packet. `datagram`: what follows the outer IPv4
  /// header; untrusted, any length, any alignment. Fails with truncated, bad_version,
  /// reserved_bits_set, bad_checksum or unknown_protocol_type. A checksum that is there is verified
  /// whether or not it was asked for. RFC 2784 2.1 to 2.5, RFC 2890 2.1.
  [[nodiscard]] static Parsed<Payload> decapsulate(
      std::span<const std::byte> datagram, ChecksumCheck check = ChecksumCheck::verify) noexcept;

  /// Writes the GRE header into `header`, which is overhead_bytes(parameters) long and goes in
  /// front of the payload. `sequence` is used only with oseq. RFC 2784 2.1, RFC 2890 2.
  static void encapsulate(std::span<std::byte> header, const Parameters& parameters,
                          std::uint32_t sequence, const PayloadParts& payload) noexcept;

  [[nodiscard]] static std::optional<std::uint32_t> key_in(const Parameters& parameters) noexcept {
    return parameters.ikey;
  }
  [[nodiscard]] static std::optional<std::uint32_t> key_out(const Parameters& parameters) noexcept {
    return parameters.okey;
  }
  [[nodiscard]] static bool sends_sequence(const Parameters& parameters) noexcept {
    return parameters.oseq;
  }
  [[nodiscard]] static bool wants_sequence(const Parameters& parameters) noexcept {
    return parameters.iseq;
  }
  [[nodiscard]] static bool wants_checksum(const Parameters& parameters) noexcept {
    return parameters.icsum;
  }
};
static_assert(Encapsulation<Gre>);

}  // namespace culvert::proto
