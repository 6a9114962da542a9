// Generic Routing Encapsulation (RFC 2784) with key and sequence number (RFC 2890), carrying IPv4
// and IPv6 (RFC 7676). Pure functions; any thread.
#pragma once

#include <array>

#include "proto/byte_order.h"
#include "proto/checksum.h"
#include "proto/encapsulation.h"
#include "proto/ipv4.h"

namespace culvert::proto {

struct Gre {
  static constexpr std::string_view kName = "gre";
  static constexpr std::size_t kMaxOverheadBytes = 16;

  static constexpr LinkType kLinkType = LinkType::ip;
  static constexpr KernelGso kGso = KernelGso::gre;

  /// The parameters of a tunnel, with the names of `ip link add type gre`.
  struct Parameters {
    std::optional<std::uint32_t> ikey{};  ///< inbound key; absent and 0 differ: RFC 2890 2.1
    std::optional<std::uint32_t> okey{};  ///< outbound key
    bool icsum = false;  ///< drop packets without a checksum; a checksum is always verified
    bool ocsum = false;  ///< send a checksum
    bool iseq = false;   ///< drop packets without a sequence number or with an old one
    bool oseq = false;   ///< send a sequence number
    friend bool operator==(const Parameters&, const Parameters&) = default;
  };

  static constexpr std::array<std::string_view, 1> kAliases{"gre/ip"};
  static constexpr std::array<std::string_view, 4> kForeignNames{"ipgre", "ip_gre", "greip",
                                                                 "gre4"};
  static constexpr std::string_view kHelp = "IPv6 and IPv4 in GRE (RFC 2784)";
  using Option = ParameterOption<Parameters>;
  static constexpr auto kOptions = std::to_array<Option>({
      {"key", "K", "GRE key of both directions, a number or a dotted quad (RFC 2890)",
       Option::Key{&Parameters::ikey, &Parameters::okey}},
      {"ikey", "K", "GRE key of received packets", Option::Key{&Parameters::ikey}},
      {"okey", "K", "GRE key of sent packets", Option::Key{&Parameters::okey}},
      {"csum", "", "GRE checksum in both directions; a received one is always verified",
       Option::Flag{&Parameters::icsum, &Parameters::ocsum}},
      {"icsum", "", "drop received packets that have no GRE checksum",
       Option::Flag{&Parameters::icsum}},
      {"ocsum", "", "send a GRE checksum", Option::Flag{&Parameters::ocsum}},
      {"seq", "", "GRE sequence numbers in both directions (RFC 2890)",
       Option::Flag{&Parameters::iseq, &Parameters::oseq}},
      {"iseq", "", "drop received packets that have no sequence number, or an old one",
       Option::Flag{&Parameters::iseq}},
      {"oseq", "", "send a sequence number", Option::Flag{&Parameters::oseq}},
  });

  [[nodiscard]] static constexpr bool carries(std::uint16_t protocol_type) noexcept {
    return protocol_type == kProtocolTypeIpv4 || protocol_type == kProtocolTypeIpv6;
  }
  /// The size of the GRE header with these parameters: 4 to 16 bytes.
  [[nodiscard]] static constexpr std::size_t overhead_bytes(const Parameters& parameters) noexcept {
    return 4 + 4 * (std::size_t{parameters.ocsum} + parameters.okey.has_value() + parameters.oseq);
  }

  /// Removes the GRE header in front of a payload packet. `datagram`: all bytes behind the outer
  /// IPv4 header; untrusted, any length, any alignment. Fails with truncated, bad_version,
  /// reserved_bits_set, bad_checksum or unknown_protocol_type. It verifies every checksum that is
  /// present, unless `check` is already_verified. RFC 2784 2.1 to 2.5, RFC 2890 2.1.
  [[nodiscard]] static Parsed<Payload> decapsulate(std::span<const std::byte> datagram,
                                                   ChecksumCheck check = ChecksumCheck::verify,
                                                   const DemuxRule& = {}) noexcept;

  /// Writes the GRE header. `header`: overhead_bytes(parameters) bytes. `sequence`: host byte
  /// order, used only with oseq. `payload`: read only for the checksum. RFC 2784 2.1, RFC 2890 2.
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
  [[nodiscard]] static bool has_constant_header(const Parameters& parameters) noexcept {
    return !parameters.ocsum && !parameters.oseq;
  }
  [[nodiscard]] static bool wants_checksum(const Parameters& parameters) noexcept {
    return parameters.icsum;
  }

 private:
  // Bits of the first two bytes; RFC 2784 2.1, RFC 2890 2. Bits 1, 4 and 5 belong to RFC 1701 and
  // would make the header longer: such packets are dropped. Bits 6 to 12 are ignored. RFC 2784 2.3.
  static constexpr std::uint16_t kChecksumPresent = 0x8000, kKeyPresent = 0x2000,
                                 kSequencePresent = 0x1000, kReservedMask = 0x4c00,
                                 kVersionMask = 0x0007;
  static constexpr std::size_t kBaseBytes = 4, kFieldBytes = 4, kChecksumOffset = 4;
  // Without and behind a checksum; RFC 2890 2.
  static constexpr std::array kKeys{
      KeyPlace{.mask = 0xa000'0000, .value = 0x2000'0000, .offset_bytes = 4},
      KeyPlace{.mask = 0xa000'0000, .value = 0xa000'0000, .offset_bytes = 8}};
  static constexpr std::array kProtocolTypes{kProtocolTypeIpv6, kProtocolTypeIpv4};

 public:
  static constexpr std::array kDemux{
      DemuxRule{.ip_protocol = kProtocolGre,
                .keys = kKeys,
                .protocol_types = kProtocolTypes,
                .zero_bits = std::uint32_t{kReservedMask | kVersionMask} << 16}};
};
static_assert(Encapsulation<Gre>);

// ---- inline definitions for the hot path --------------------------------------------------------

inline Parsed<Payload> Gre::decapsulate(std::span<const std::byte> datagram, ChecksumCheck check,
                                        const DemuxRule&) noexcept {
  if (datagram.size() < kBaseBytes) return Unexpected{Malformed::truncated};
  const std::uint16_t flags = load_be16(datagram, 0);
  if ((flags & kVersionMask) != 0) return Unexpected{Malformed::bad_version};
  if ((flags & kReservedMask) != 0) return Unexpected{Malformed::reserved_bits_set};
  const bool has_checksum = (flags & kChecksumPresent) != 0;
  const bool has_key = (flags & kKeyPresent) != 0;
  const bool has_sequence = (flags & kSequencePresent) != 0;
  const std::size_t header_bytes =
      kBaseBytes + kFieldBytes * (std::size_t{has_checksum} + has_key + has_sequence);
  if (datagram.size() < header_bytes) return Unexpected{Malformed::truncated};
  if (has_checksum && check == ChecksumCheck::verify && !verifies(sum(datagram)))
    return Unexpected{Malformed::bad_checksum};

  Payload payload{.packet = datagram.subspan(header_bytes),
                  .protocol_type = load_be16(datagram, 2),
                  .key = {},
                  .sequence = {},
                  .had_checksum = has_checksum};
  if (!carries(payload.protocol_type)) return Unexpected{Malformed::unknown_protocol_type};
  std::size_t offset = kBaseBytes + (has_checksum ? kFieldBytes : 0);
  if (has_key) {
    payload.key = load_be32(datagram, offset);
    offset += kFieldBytes;
  }
  if (has_sequence) payload.sequence = load_be32(datagram, offset);
  return payload;
}

inline void Gre::encapsulate(std::span<std::byte> header, const Parameters& parameters,
                             std::uint32_t sequence, const PayloadParts& payload) noexcept {
  const auto flags = static_cast<std::uint32_t>((parameters.ocsum ? kChecksumPresent : 0) |
                                                (parameters.okey ? kKeyPresent : 0) |
                                                (parameters.oseq ? kSequencePresent : 0));
  // Sums each word when it is written: reading back bytes that were just stored in smaller pieces
  // stalls.
  ChecksumSum header_sum;
  std::size_t offset = 0;
  const auto put = [&](std::uint32_t host_word) {
    const auto word = Be32::from_host(host_word);
    store(header, offset, word);
    header_sum += ChecksumSum{word.wire()};
    offset += kFieldBytes;
  };
  put(flags << 16 | payload.protocol_type);
  if (parameters.ocsum) put(0);  // Checksum, written below, and Reserved1, which is 0
  if (parameters.okey) put(*parameters.okey);
  if (parameters.oseq) put(sequence);
  if (parameters.ocsum) {
    const auto total = header_sum + sum(payload.head) + sum(payload.tail);
    store(header, kChecksumOffset, finish(total));
  }
}

}  // namespace culvert::proto
