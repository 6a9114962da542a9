// IpInIp: what the encapsulations without a header of their own have in common. The payload packet
// follows the outer header, whose protocol field says which IP version it has: 41 is IPv6
// (RFC 4213 3), 4 is IPv4 (RFC 2003 3). Pure functions; any thread.
#pragma once

#include <algorithm>
#include <array>
#include <span>

#include "proto/encapsulation.h"

namespace culvert::proto {

/// `Self`: the encapsulation, which has kName, kAliases, kHelp and kDemux.
template <class Self>
struct IpInIp {
  static constexpr std::size_t kMaxOverheadBytes = 0;
  static constexpr LinkType kLinkType = LinkType::ip;
  static constexpr KernelGso kGso = KernelGso::ip;

  struct Parameters {
    friend bool operator==(const Parameters&, const Parameters&) = default;
  };
  static constexpr std::array<ParameterOption<Parameters>, 0> kOptions{};

  [[nodiscard]] static constexpr bool carries(std::uint16_t protocol_type) noexcept {
    return std::any_of(Self::kDemux.begin(), Self::kDemux.end(),
                       [&](const DemuxRule& rule) { return rule.protocol_type == protocol_type; });
  }
  [[nodiscard]] static constexpr std::size_t overhead_bytes(const Parameters&) noexcept {
    return 0;
  }

  /// `datagram`: all bytes behind the outer IPv4 header; they are the payload packet. Fails with
  /// truncated if it is empty. `rule`: the one by which the outer header was recognized; it has the
  /// protocol type. RFC 4213 3.6, RFC 2003 3.
  [[nodiscard]] static Parsed<Payload> decapsulate(
      std::span<const std::byte> datagram, ChecksumCheck = {},
      const DemuxRule& rule = Self::kDemux.front()) noexcept {
    if (datagram.empty()) return Unexpected{Malformed::truncated};
    return Payload{.packet = datagram,
                   .protocol_type = rule.protocol_type,
                   .key = {},
                   .sequence = {},
                   .had_checksum = false};
  }
  /// Writes nothing: the payload packet follows the outer header. RFC 4213 3.5, RFC 2003 3.
  static void encapsulate(std::span<std::byte>, const Parameters&, std::uint32_t,
                          const PayloadParts&) noexcept {}

  [[nodiscard]] static std::optional<std::uint32_t> key_in(const Parameters&) noexcept {
    return std::nullopt;
  }
  [[nodiscard]] static std::optional<std::uint32_t> key_out(const Parameters&) noexcept {
    return std::nullopt;
  }
  [[nodiscard]] static bool sends_sequence(const Parameters&) noexcept { return false; }
  [[nodiscard]] static bool has_constant_header(const Parameters&) noexcept { return true; }
  [[nodiscard]] static bool wants_sequence(const Parameters&) noexcept { return false; }
  [[nodiscard]] static bool wants_checksum(const Parameters&) noexcept { return false; }
};

}  // namespace culvert::proto
