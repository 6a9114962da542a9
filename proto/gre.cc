#include "proto/gre.h"

#include "proto/checksum.h"

namespace culvert::proto {
namespace {

// Bits of the first two bytes; RFC 2784 2.1, RFC 2890 2. Bits 1, 4 and 5 have a meaning only in RFC
// 1701 and would make the header longer than it looks; bits 6 to 12 are ignored: RFC 2784 2.3.
constexpr std::uint16_t kChecksumPresent = 0x8000, kKeyPresent = 0x2000, kSequencePresent = 0x1000,
                        kReservedMask = 0x4c00, kVersionMask = 0x0007;
constexpr std::size_t kBaseBytes = 4, kFieldBytes = 4, kChecksumOffset = 4;

}  // namespace

Parsed<Payload> Gre::decapsulate(std::span<const std::byte> datagram,
                                 ChecksumCheck check) noexcept {
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

void Gre::encapsulate(std::span<std::byte> header, const Parameters& parameters,
                      std::uint32_t sequence, const PayloadParts& payload) noexcept {
  const auto flags = static_cast<std::uint32_t>((parameters.ocsum ? kChecksumPresent : 0) |
                                                (parameters.okey ? kKeyPresent : 0) |
                                                (parameters.oseq ? kSequencePresent : 0));
  store_be32(header, 0, flags << 16 | payload.protocol_type);
  std::size_t offset = kBaseBytes;
  if (parameters.ocsum) {
    store(header, kChecksumOffset, Be32{});  // and Reserved1, which stays 0
    offset += kFieldBytes;
  }
  if (parameters.okey) {
    store_be32(header, offset, *parameters.okey);
    offset += kFieldBytes;
  }
  if (parameters.oseq) store_be32(header, offset, sequence);
  if (parameters.ocsum) {
    store(header, kChecksumOffset, finish(sum(header) + sum(payload.head) + sum(payload.tail)));
  }
}

}  // namespace culvert::proto
