// Be16, Be32, Be64: integers in network byte order. Only a named call converts them, so code that
// forgets the conversion does not compile. Also unaligned loads and stores. Pure functions; any
// thread.
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace culvert::proto {

static_assert(std::endian::native == std::endian::little ||
              std::endian::native == std::endian::big);

template <std::unsigned_integral U>
[[nodiscard]] constexpr U swap_if_little(U value) noexcept {
  if constexpr (std::endian::native == std::endian::big || sizeof(U) == 1) return value;
  if constexpr (sizeof(U) == 2) return static_cast<U>(__builtin_bswap16(value));
  if constexpr (sizeof(U) == 4) return static_cast<U>(__builtin_bswap32(value));
  if constexpr (sizeof(U) == 8) return static_cast<U>(__builtin_bswap64(value));
}

/// An unsigned integer in network byte order. Trivially copyable; size and alignment of U.
template <std::unsigned_integral U>
class BigEndian {
 public:
  constexpr BigEndian() = default;
  [[nodiscard]] static constexpr BigEndian from_host(U value) noexcept {
    return from_wire(swap_if_little(value));
  }
  /// `raw`: an integer whose bytes in memory are in network order already, like a checksum sum.
  [[nodiscard]] static constexpr BigEndian from_wire(U raw) noexcept {
    BigEndian result;
    result.raw_ = raw;
    return result;
  }
  [[nodiscard]] constexpr U host() const noexcept { return swap_if_little(raw_); }
  [[nodiscard]] constexpr U wire() const noexcept { return raw_; }
  friend constexpr bool operator==(BigEndian, BigEndian) = default;

 private:
  U raw_ = 0;
};

using Be16 = BigEndian<std::uint16_t>;
using Be32 = BigEndian<std::uint32_t>;
using Be64 = BigEndian<std::uint64_t>;

/// Reads a trivially copyable T at `offset`, at any alignment. The caller checks the length.
template <class T>
[[nodiscard]] inline T load(std::span<const std::byte> bytes, std::size_t offset = 0) noexcept {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

/// Writes a trivially copyable T at `offset`, at any alignment. The caller checks the length.
template <class T>
inline void store(std::span<std::byte> bytes, std::size_t offset, const T& value) noexcept {
  std::memcpy(bytes.data() + offset, &value, sizeof value);
}

/// Read the wire integer of 8, 16 or 32 bits at `offset` and return it in host byte order.
/// `store_be16` and `store_be32` write a value in host byte order to the wire.
[[nodiscard]] inline std::uint8_t load_u8(std::span<const std::byte> bytes,
                                          std::size_t offset) noexcept {
  return std::to_integer<std::uint8_t>(bytes[offset]);
}
[[nodiscard]] inline std::uint16_t load_be16(std::span<const std::byte> bytes,
                                             std::size_t offset) noexcept {
  return load<Be16>(bytes, offset).host();
}
[[nodiscard]] inline std::uint32_t load_be32(std::span<const std::byte> bytes,
                                             std::size_t offset) noexcept {
  return load<Be32>(bytes, offset).host();
}
inline void store_be16(std::span<std::byte> bytes, std::size_t offset,
                       std::uint16_t value) noexcept {
  store(bytes, offset, Be16::from_host(value));
}
inline void store_be32(std::span<std::byte> bytes, std::size_t offset,
                       std::uint32_t value) noexcept {
  store(bytes, offset, Be32::from_host(value));
}

}  // namespace culvert::proto
