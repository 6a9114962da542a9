// LpmTable: longest-prefix match (LPM) from address to value. It has one hash table for each prefix
// length in use, so a look-up costs one probe per length. A default prefix (length 0) costs
// nothing: its value is the fallback. Prefixes come from the configuration, so the hash needs no
// secret. Immutable after construction: any thread reads it.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "proto/address.h"
#include "proto/byte_order.h"

namespace culvert {

namespace detail {

/// An address as two numbers in host byte order; the address's first bit is the highest bit of
/// `high`.
struct AddressBits {
  std::uint64_t high = 0, low = 0;
  friend constexpr bool operator==(const AddressBits&, const AddressBits&) = default;
  friend constexpr AddressBits operator&(const AddressBits& a, const AddressBits& b) noexcept {
    return {a.high & b.high, a.low & b.low};
  }
};

[[nodiscard]] constexpr AddressBits bits_of(proto::Ipv4Address address) noexcept {
  return {std::uint64_t{address.host()} << 32, 0};
}
[[nodiscard]] inline AddressBits bits_of(const proto::Ipv6Address& address) noexcept {
  return {proto::load<proto::Be64>(address.bytes, 0).host(),
          proto::load<proto::Be64>(address.bytes, 8).host()};
}
[[nodiscard]] constexpr AddressBits mask_of(std::uint8_t length_bits) noexcept {
  const auto ones = [](unsigned count) {
    return count == 0 ? 0 : ~std::uint64_t{0} << (64 - count);
  };
  return length_bits <= 64 ? AddressBits{ones(length_bits), 0}
                           : AddressBits{~std::uint64_t{0}, ones(length_bits - 64u)};
}

/// Mixes the bits into a hash. The high bits are the best ones; a table uses as many of them as it
/// needs.
[[nodiscard]] constexpr std::uint64_t spread(const AddressBits& bits) noexcept {
  std::uint64_t hash = (bits.high * 0x9e37'79b9'7f4a'7c15u) ^ bits.low;
  hash ^= hash >> 32;
  hash *= 0xd6e8'feb8'6659'fd93u;
  hash ^= hash >> 32;
  return hash * 0x9e37'79b9'7f4a'7c15u;
}

}  // namespace detail

template <class Value, class Address = proto::Ipv6Address>
class LpmTable {
 public:
  using Prefix = proto::WithLength<Address>;
  using Entry = std::pair<Prefix, Value>;

  LpmTable() = default;
  /// Host bits of a prefix are ignored. If several entries have the same prefix, the last one
  /// counts.
  explicit LpmTable(std::span<const Entry> entries) {
    std::map<std::uint8_t, std::size_t, std::greater<>> counts;
    for (const auto& [prefix, value] : entries) ++counts[prefix.length_bits];
    for (const auto& [length_bits, count] : counts)
      if (length_bits != 0) levels_.push_back(Level(length_bits, count));
    for (const auto& [prefix, value] : entries) {
      if (prefix.length_bits == 0) {
        default_ = value;
      } else {
        level(prefix.length_bits)->insert(detail::bits_of(prefix.address), value);
      }
    }
  }

  /// Returns the value of the longest prefix that contains `address`; null if no prefix contains
  /// it.
  [[nodiscard]] const Value* find(const Address& address) const noexcept {
    if (!levels_.empty()) {
      const auto bits = detail::bits_of(address);
      for (const Level& level : levels_) {
        if (const Value* value = level.find(bits)) return value;
      }
    }
    return default_ ? &*default_ : nullptr;
  }

  /// Returns the value of exactly this prefix; null if there is none.
  [[nodiscard]] const Value* find_exact(const Prefix& prefix) const noexcept {
    if (prefix.length_bits == 0) return default_ ? &*default_ : nullptr;
    for (const Level& level : levels_) {
      if (level.length_bits == prefix.length_bits)
        return level.find(detail::bits_of(prefix.address));
    }
    return nullptr;
  }

  [[nodiscard]] bool empty() const noexcept { return levels_.empty() && !default_; }

 private:
  struct Slot {
    detail::AddressBits bits;
    Value value{};
    bool is_used = false;
  };

  /// The prefixes of one length: an open-addressing table that is at most two thirds full, so every
  /// search ends at an unused slot.
  struct Level {
    Level(std::uint8_t length, std::size_t count)
        : mask(detail::mask_of(length)),
          length_bits(length),
          slots(std::bit_ceil(count + count / 2 + 1)) {
      shift = static_cast<std::uint8_t>(64 - std::countr_zero(slots.size()));
    }

    [[nodiscard]] std::size_t first(const detail::AddressBits& bits) const noexcept {
      return static_cast<std::size_t>(detail::spread(bits) >> shift);
    }
    [[nodiscard]] std::size_t next(std::size_t index) const noexcept {
      return (index + 1) & (slots.size() - 1);
    }
    void insert(const detail::AddressBits& address, const Value& value) {
      const auto bits = address & mask;
      std::size_t i = first(bits);
      while (slots[i].is_used && slots[i].bits != bits) i = next(i);
      slots[i] = {bits, value, true};
    }
    [[nodiscard]] const Value* find(const detail::AddressBits& address) const noexcept {
      const auto bits = address & mask;
      for (std::size_t i = first(bits); slots[i].is_used; i = next(i)) {
        if (slots[i].bits == bits) return &slots[i].value;
      }
      return nullptr;
    }

    detail::AddressBits mask;
    std::uint8_t length_bits;
    std::uint8_t shift = 0;  ///< right shift that turns a hash into an index of `slots`
    std::vector<Slot> slots;
  };

  [[nodiscard]] Level* level(std::uint8_t length_bits) noexcept {
    for (Level& each : levels_)
      if (each.length_bits == length_bits) return &each;
    return nullptr;
  }

  std::vector<Level> levels_;  ///< longest prefix length first
  std::optional<Value> default_;
};

}  // namespace culvert
