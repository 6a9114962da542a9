#include "proto/tcp.h"

#include "proto/checksum.h"
#include "proto/options.h"

namespace culvert::proto {
namespace {

// Replaces a 16-bit word, which may start at an odd offset, and updates the checksum. At an odd
// offset the two bytes belong to two different words of the sum, so the byte-swapped value counts:
// RFC 1071 2(B).
void replace_word(std::span<std::byte> segment, std::size_t offset, std::uint16_t value,
                  bool checksum_is_partial) noexcept {
  const auto before = load<Be16>(segment, offset);
  const auto after = Be16::from_host(value);
  store(segment, offset, after);
  if (checksum_is_partial) return;
  const auto as_summed = [offset](Be16 word) {
    return offset % 2 == 0 ? word : Be16::from_wire(__builtin_bswap16(word.wire()));
  };
  const auto checksum = load<Be16>(segment, kTcpChecksumOffset);
  store(segment, kTcpChecksumOffset, update(checksum, as_summed(before), as_summed(after)));
}

}  // namespace

Parsed<TcpHeader> parse_tcp(std::span<const std::byte> segment) noexcept {
  if (segment.size() < kTcpHeaderBytes) return Unexpected{Malformed::truncated};
  const std::size_t header_bytes = tcp_header_bytes(segment);
  if (header_bytes < kTcpHeaderBytes) return Unexpected{Malformed::bad_header_length};
  if (header_bytes > segment.size()) return Unexpected{Malformed::bad_header_length};
  return TcpHeader{.source_port = load_be16(segment, kSourcePortOffset),
                   .destination_port = load_be16(segment, kDestinationPortOffset),
                   .sequence = load_be32(segment, kTcpSequenceOffset),
                   .acknowledgment = load_be32(segment, kTcpAcknowledgmentOffset),
                   .header_bytes = static_cast<std::uint8_t>(header_bytes),
                   .flags = load_u8(segment, kTcpFlagsOffset),
                   .window = load_be16(segment, kTcpWindowOffset),
                   .options = segment.subspan(kTcpHeaderBytes, header_bytes - kTcpHeaderBytes)};
}

bool clamp_mss(std::span<std::byte> segment, std::uint16_t mss_bytes,
               bool checksum_is_partial) noexcept {
  constexpr std::uint8_t kMaximumSegmentSize = 2;
  const auto tcp = parse_tcp(segment);
  if (!tcp || (tcp->flags & kTcpSyn) == 0) return false;

  bool changed = false;
  for_each_option(tcp->options, [&](std::uint8_t kind, std::size_t offset, std::size_t size) {
    if (kind != kMaximumSegmentSize || size != 4) return;
    const std::size_t value_offset = kTcpHeaderBytes + offset + 2;
    if (load_be16(segment, value_offset) <= mss_bytes) return;
    replace_word(segment, value_offset, mss_bytes, checksum_is_partial);
    changed = true;
  });
  return changed;
}

}  // namespace culvert::proto
