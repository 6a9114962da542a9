// 6in4: IPv6 directly in IPv4, protocol 41 (RFC 4213 3). There is no header between the two. Pure
// functions; any thread.
#pragma once

#include <array>

#include "proto/encapsulation.h"
#include "proto/ipv4.h"

namespace culvert::proto {

struct SixInFour {
  static constexpr std::string_view kName = "sit";
  static constexpr std::array kDemux{
      DemuxRule{.ip_protocol = kProtocolIpv6, .protocol_type = kProtocolTypeIpv6}};
  static constexpr std::uint8_t kIpProtocol = kProtocolIpv6;
  static constexpr KernelGso kGso = KernelGso::ip;
  static constexpr std::size_t kMaxOverheadBytes = 0;

  struct Parameters {
    friend bool operator==(const Parameters&, const Parameters&) = default;
  };

  static constexpr std::array<std::string_view, 1> kAliases{"ipv6/ip"};
  static constexpr std::string_view kHelp = "IPv6 in IPv4, protocol 41 (RFC 4213)";
  static constexpr std::array<ParameterOption<Parameters>, 0> kOptions{};

  [[nodiscard]] static constexpr bool carries(std::uint16_t protocol_type) noexcept {
    return protocol_type == kProtocolTypeIpv6;
  }
  [[nodiscard]] static constexpr std::size_t overhead_bytes(const Parameters&) noexcept {
    return 0;
  }

  /// `datagram`: all bytes behind the outer IPv4 header; they are the payload packet. Fails with
  /// truncated if it is empty. RFC 4213 3.6.
  [[nodiscard]] static Parsed<Payload> decapsulate(std::span<const std::byte> datagram,
                                                   ChecksumCheck = {}) noexcept {
    if (datagram.empty()) return Unexpected{Malformed::truncated};
    return Payload{.packet = datagram,
                   .protocol_type = kProtocolTypeIpv6,
                   .key = {},
                   .sequence = {},
                   .had_checksum = false};
  }
  /// Writes nothing: the payload packet follows the outer header. RFC 4213 3.5.
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
static_assert(Encapsulation<SixInFour>);

}  // namespace culvert::proto
