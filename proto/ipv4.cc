#include "proto/ipv4.h"

#include <algorithm>

#include "proto/checksum.h"

namespace culvert::proto {
namespace {

constexpr std::size_t kTotalLengthOffset = 2, kIdentificationOffset = 4, kFragmentOffset = 6,
                      kChecksumOffset = 10;
constexpr std::uint16_t kDontFragment = 0x4000, kMoreFragments = 0x2000, kOffsetMask = 0x1fff;

// Fills in everything but the two views. The caller has checked that 20 bytes are there.
Ipv4Packet read_fields(std::span<const std::byte> bytes, std::size_t header_bytes) noexcept {
  const std::uint16_t fragment = load_be16(bytes, kFragmentOffset);
  return {.source = load<Ipv4Address>(bytes, 12),
          .destination = load<Ipv4Address>(bytes, 16),
          .tos = load_u8(bytes, 1),
          .ttl = load_u8(bytes, 8),
          .protocol = load_u8(bytes, 9),
          .identification = load_be16(bytes, kIdentificationOffset),
          .fragment_offset_bytes = static_cast<std::uint16_t>((fragment & kOffsetMask) * 8),
          .more_fragments = (fragment & kMoreFragments) != 0,
          .dont_fragment = (fragment & kDontFragment) != 0,
          .header_bytes = static_cast<std::uint8_t>(header_bytes),
          .bytes = {},
          .payload = {}};
}

// The header's size, from its first byte.
Parsed<std::size_t> check_header(std::span<const std::byte> bytes) noexcept {
  if (bytes.size() < kIpv4HeaderBytes) return Unexpected{Malformed::truncated};
  const std::uint8_t version_and_length = load_u8(bytes, 0);
  if (version_and_length >> 4 != 4) return Unexpected{Malformed::bad_version};
  const std::size_t header_bytes = (version_and_length & 0xfu) * 4u;
  if (header_bytes < kIpv4HeaderBytes) return Unexpected{Malformed::bad_header_length};
  if (header_bytes > bytes.size()) return Unexpected{Malformed::truncated};
  return header_bytes;
}

void set_word(std::span<std::byte> packet, std::size_t offset, std::uint16_t value) noexcept {
  const auto before = load<Be16>(packet, offset);
  const auto after = Be16::from_host(value);
  store(packet, kChecksumOffset, update(load<Be16>(packet, kChecksumOffset), before, after));
  store(packet, offset, after);
}

}  // namespace

Parsed<Ipv4Packet> parse_ipv4(std::span<const std::byte> bytes) noexcept {
  const auto header_bytes = check_header(bytes);
  if (!header_bytes) return Unexpected{header_bytes.error()};
  const std::size_t total_bytes = load_be16(bytes, kTotalLengthOffset);
  if (total_bytes < *header_bytes) return Unexpected{Malformed::bad_header_length};
  if (total_bytes > bytes.size()) return Unexpected{Malformed::truncated};
  if (!verifies(sum(bytes.first(*header_bytes)))) return Unexpected{Malformed::bad_checksum};

  Ipv4Packet packet = read_fields(bytes, *header_bytes);
  packet.bytes = bytes.first(total_bytes);
  packet.payload = packet.bytes.subspan(*header_bytes);
  return packet;
}

Parsed<Ipv4Packet> parse_quoted_ipv4(std::span<const std::byte> bytes) noexcept {
  const auto header_bytes = check_header(bytes);
  if (!header_bytes) return Unexpected{header_bytes.error()};
  // Some stacks quote a total length they have already changed: it may shorten what is there by
  // padding, never by the header.
  const std::size_t total_bytes =
      std::max<std::size_t>(load_be16(bytes, kTotalLengthOffset), *header_bytes);

  Ipv4Packet packet = read_fields(bytes, *header_bytes);
  packet.bytes = bytes.first(std::min(bytes.size(), total_bytes));
  packet.payload = packet.bytes.subspan(*header_bytes);
  return packet;
}

void build_ipv4(std::span<std::byte, kIpv4HeaderBytes> header, const Ipv4Fields& fields) noexcept {
  // Whole words, so that the sum comes from registers and not from bytes just stored.
  const auto word = [](std::uint32_t high, std::uint32_t low) {
    return Be32::from_host(high << 16 | low);
  };
  const Be32 words[3] = {
      word(0x4500u | fields.tos, fields.total_bytes),
      word(fields.identification, fields.dont_fragment ? kDontFragment : 0),
      word(std::uint32_t{fields.ttl} << 8 | fields.protocol, 0),
  };
  const auto source = load<std::uint32_t>(fields.source.bytes);
  const auto destination = load<std::uint32_t>(fields.destination.bytes);
  const ChecksumSum total = ChecksumSum{words[0].wire()} + ChecksumSum{words[1].wire()} +
                            ChecksumSum{words[2].wire()} + ChecksumSum{source} +
                            ChecksumSum{destination};
  store(header, 0, words[0]);
  store(header, 4, words[1]);
  store(header, 8, Be32::from_host(words[2].host() | finish(total).host()));
  store(header, 12, source);
  store(header, 16, destination);
}

void set_ipv4_tos(std::span<std::byte> packet, std::uint8_t tos) noexcept {
  set_word(packet, 0, static_cast<std::uint16_t>(load_u8(packet, 0) << 8 | tos));
}

void set_ipv4_total_bytes(std::span<std::byte> packet, std::uint16_t total_bytes) noexcept {
  set_word(packet, kTotalLengthOffset, total_bytes);
}

void set_ipv4_identification(std::span<std::byte> packet, std::uint16_t identification) noexcept {
  set_word(packet, kIdentificationOffset, identification);
}

void set_ipv4_fragment(std::span<std::byte> packet, std::uint16_t offset_bytes, bool more_fragments,
                       bool dont_fragment) noexcept {
  set_word(packet, kFragmentOffset,
           static_cast<std::uint16_t>((dont_fragment ? kDontFragment : 0) |
                                      (more_fragments ? kMoreFragments : 0) | offset_bytes / 8));
}

namespace {

// Copies the options that every fragment carries; returns their size, a multiple of 4, padded with
// End of Option List (0). RFC 791 3.1.
std::size_t copy_copied_options(std::span<std::byte> out,
                                std::span<const std::byte> options) noexcept {
  constexpr std::uint8_t kEndOfList = 0, kNoOperation = 1, kCopied = 0x80;
  std::size_t written = 0;
  for (std::size_t offset = 0; offset < options.size();) {
    const std::uint8_t type = load_u8(options, offset);
    if (type == kEndOfList) break;
    if (type == kNoOperation) {
      ++offset;
      continue;
    }
    if (offset + 1 >= options.size()) break;
    const std::size_t size = load_u8(options, offset + 1);
    if (size < 2 || size > options.size() - offset) break;
    if ((type & kCopied) != 0) {
      std::copy_n(options.begin() + offset, size, out.begin() + written);
      written += size;
    }
    offset += size;
  }
  const std::size_t padded = (written + 3) / 4 * 4;
  std::fill(out.begin() + written, out.begin() + padded, std::byte{kEndOfList});
  return padded;
}

}  // namespace

std::size_t build_ipv4_fragment_header(std::span<std::byte, 60> header, const Ipv4Packet& original,
                                       bool first) noexcept {
  std::copy_n(original.bytes.begin(), kIpv4HeaderBytes, header.begin());
  const auto options =
      original.bytes.subspan(kIpv4HeaderBytes, original.header_bytes - kIpv4HeaderBytes);
  const auto out = std::span<std::byte>{header}.subspan(kIpv4HeaderBytes);
  std::size_t option_bytes = options.size();
  if (first) {
    std::copy(options.begin(), options.end(), out.begin());
  } else {
    option_bytes = copy_copied_options(out, options);
  }
  const std::size_t header_bytes = kIpv4HeaderBytes + option_bytes;
  store(header, 0, static_cast<std::uint8_t>(0x40 | header_bytes / 4));
  store(header, kChecksumOffset, Be16{});
  store(header, kChecksumOffset, finish(sum(header.first(header_bytes))));
  return header_bytes;
}

}  // namespace culvert::proto
