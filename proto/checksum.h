// The Internet checksum (RFC 1071) and its incremental update (RFC 1624). Pure functions; any
// thread.
//
// A sum is opaque: it adds 16-bit words in the byte order of the machine (RFC 1071 2(B): the byte
// order does not matter). Use finish() to get the value on the wire.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "proto/address.h"
#include "proto/byte_order.h"

namespace culvert::proto {

/// An unfinished ones' complement sum: 16 bits, and carries that are not folded yet.
struct ChecksumSum {
  std::uint64_t value = 0;

  /// Adds the sum of bytes that follow at an even offset.
  constexpr ChecksumSum& operator+=(ChecksumSum other) noexcept {
    value += other.value;
    return *this;
  }
  friend constexpr ChecksumSum operator+(ChecksumSum a, ChecksumSum b) noexcept { return a += b; }
};

/// The sum of `bytes`, whose first byte is at an even offset. An odd last byte is padded with zero.
/// Vectorised, for any length and alignment. The result is folded to 16 bits.
[[nodiscard]] ChecksumSum sum(std::span<const std::byte> bytes) noexcept;

/// The sum of a few words whose number is a compile-time constant, such as a header or an address.
/// Inline. The result is not folded.
template <std::size_t Size>
requires(Size != std::dynamic_extent && Size % 4 == 0 && Size <= 64)
    [[nodiscard]] inline ChecksumSum sum_words(std::span<const std::byte, Size> bytes) noexcept {
  ChecksumSum total;
  for (std::size_t offset = 0; offset < Size; offset += 4) {
    total.value += load<std::uint32_t>(bytes, offset);
  }
  return total;
}

/// Folds a sum to 16 bits without the complement: the value of a partial checksum, which a device
/// will complete.
[[nodiscard]] constexpr Be16 fold(ChecksumSum sum) noexcept {
  std::uint64_t value = (sum.value >> 32) + (sum.value & 0xffff'ffff);  // at most 33 bits
  value = (value >> 16) + (value & 0xffff);                             // at most 18 bits
  value = (value >> 16) + (value & 0xffff);                             // at most 17 bits
  value = (value >> 16) + (value & 0xffff);
  return Be16::from_wire(static_cast<std::uint16_t>(value));
}

/// The value for a checksum field: the complement of the folded sum. For UDP the caller replaces 0
/// by 0xffff (RFC 768).
[[nodiscard]] constexpr Be16 finish(ChecksumSum sum) noexcept {
  return Be16::from_wire(static_cast<std::uint16_t>(~fold(sum).wire()));
}

/// True if the sum of bytes that include the checksum field shows no error.
[[nodiscard]] constexpr bool verifies(ChecksumSum sum) noexcept {
  return fold(sum).wire() == 0xffff;
}

/// Converts a sum for bytes whose first byte is at an odd offset: swaps its bytes. RFC 1071 2(B).
[[nodiscard]] constexpr ChecksumSum swapped(ChecksumSum sum) noexcept {
  return {__builtin_bswap16(fold(sum).wire())};
}

/// The sum of one 16-bit word given in host byte order.
[[nodiscard]] constexpr ChecksumSum sum_of_word(std::uint16_t word) noexcept {
  return {Be16::from_host(word).wire()};
}

/// The sum of the pseudo-header of TCP and UDP (RFC 9293 3.1, RFC 768) and, for IPv6, ICMPv6
/// (RFC 8200 8.1). `length_bytes`: transport header and payload, in host byte order.
[[nodiscard]] inline ChecksumSum pseudo_header_sum(Ipv4Address source, Ipv4Address destination,
                                                   std::uint8_t protocol,
                                                   std::uint32_t length_bytes) noexcept {
  return sum_words<4>(source.bytes) + sum_words<4>(destination.bytes) + sum_of_word(protocol) +
         ChecksumSum{Be32::from_host(length_bytes).wire()};
}
[[nodiscard]] inline ChecksumSum pseudo_header_sum(const Ipv6Address& source,
                                                   const Ipv6Address& destination,
                                                   std::uint8_t next_header,
                                                   std::uint32_t length_bytes) noexcept {
  return sum_words<16>(source.bytes) + sum_words<16>(destination.bytes) + sum_of_word(next_header) +
         ChecksumSum{Be32::from_host(length_bytes).wire()};
}

/// `checksum` after one 16-bit word at an even offset has changed from `before` to `after`.
/// RFC 1624 3, equation 3.
[[nodiscard]] constexpr Be16 update(Be16 checksum, Be16 before, Be16 after) noexcept {
  const auto complement = [](Be16 word) { return std::uint64_t{0xffffu ^ word.wire()}; };
  return finish({complement(checksum) + complement(before) + after.wire()});
}

}  // namespace culvert::proto
