#include "proto/ipv4.h"

#include <algorithm>

#include "proto/checksum.h"
#include "proto/options.h"

namespace culvert::proto {
namespace {

void set_word(std::span<std::byte> packet, std::size_t offset, std::uint16_t value) noexcept {
  const auto before = load<Be16>(packet, offset);
  const auto after = Be16::from_host(value);
  store(packet, kIpv4ChecksumOffset,
        update(load<Be16>(packet, kIpv4ChecksumOffset), before, after));
  store(packet, offset, after);
}

// Copies the options with the copied bit. Returns their size in bytes, padded to a multiple of 4
// with End of Option List. RFC 791 3.1.
std::size_t copy_copied_options(std::span<std::byte> out,
                                std::span<const std::byte> options) noexcept {
  constexpr std::uint8_t kCopied = 0x80;
  constexpr std::byte kEndOfList{0};
  std::size_t written = 0;
  for_each_option(options, [&](std::uint8_t type, std::size_t offset, std::size_t size) {
    if ((type & kCopied) == 0) return;
    std::copy_n(options.begin() + offset, size, out.begin() + written);
    written += size;
  });
  const std::size_t padded = (written + 3) / 4 * 4;
  std::fill(out.begin() + written, out.begin() + padded, kEndOfList);
  return padded;
}

}  // namespace

void set_ipv4_tos(std::span<std::byte> packet, std::uint8_t tos) noexcept {
  set_word(packet, kIpVersionOffset,
           static_cast<std::uint16_t>(load_u8(packet, kIpVersionOffset) << 8 | tos));
}

void set_ipv4_total_bytes(std::span<std::byte> packet, std::uint16_t total_bytes) noexcept {
  set_word(packet, kIpv4TotalLengthOffset, total_bytes);
}

void set_ipv4_fragment(std::span<std::byte> packet, std::uint16_t offset_bytes, bool more_fragments,
                       bool dont_fragment) noexcept {
  set_word(
      packet, kIpv4FragmentOffset,
      static_cast<std::uint16_t>((dont_fragment ? kIpv4DontFragment : 0) |
                                 (more_fragments ? kIpv4MoreFragments : 0) | offset_bytes / 8));
}

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
  store(header, kIpVersionOffset, static_cast<std::uint8_t>(0x40 | header_bytes / 4));
  store(header, kIpv4ChecksumOffset, Be16{});
  store(header, kIpv4ChecksumOffset, finish(sum(header.first(header_bytes))));
  return header_bytes;
}

}  // namespace culvert::proto
