// AddressTable: maps IPv6 addresses to values in fixed memory. It is set-associative with eight
// entries per set. A hash with a secret seed selects the set, so an attacker who chooses addresses
// cannot fill one set on purpose. The caller's rule decides which entry a new address evicts. One
// thread; no allocation after construction.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "engine/tables/lpm_table.h"
#include "proto/address.h"

namespace culvert {

/// A hash that cannot be predicted without `seed`. Its upper half has the better bits.
[[nodiscard]] inline std::uint64_t seeded_hash(const proto::Ipv6Address& address,
                                               std::uint64_t seed) noexcept {
  auto bits = detail::bits_of(address);
  bits.high ^= seed;
  bits.low += seed;
  return detail::spread(bits);
}

template <class Value>
class AddressTable {
 public:
  struct Entry {
    proto::Ipv6Address address{};
    bool is_used = false;
    Value value{};
  };

  /// `entries`: rounded up to eight times a power of two. `seed`: random and secret.
  AddressTable(std::size_t entries, std::uint64_t seed)
      : entries_(kWays * std::bit_ceil((entries + kWays - 1) / kWays)), seed_(seed) {}

  /// Returns the value of an address; null if it is absent.
  [[nodiscard]] Value* find(const proto::Ipv6Address& address) noexcept {
    for (Entry& entry : set_of(address)) {
      if (entry.is_used && entry.address == address) return &entry.value;
    }
    return nullptr;
  }

  /// Adds an absent address and returns its default value. In a full set it evicts the entry with
  /// the lowest `rank(value)`; entries with a rank below 0 are never evicted. Null: no entry of the
  /// set may be evicted.
  template <class Rank>
  [[nodiscard]] Value* add(const proto::Ipv6Address& address, Rank rank) noexcept {
    Entry* place = nullptr;
    decltype(rank(std::declval<const Value&>())) lowest{};
    for (Entry& entry : set_of(address)) {
      if (!entry.is_used) {
        place = &entry;
        break;
      }
      const auto rank_here = rank(entry.value);
      if (rank_here < 0 || (place != nullptr && rank_here >= lowest)) continue;
      place = &entry;
      lowest = rank_here;
    }
    if (place == nullptr) return nullptr;
    *place = {.address = address, .is_used = true, .value = {}};
    return &place->value;
  }

  void clear() noexcept {
    for (Entry& entry : entries_) entry = {};
  }
  [[nodiscard]] std::span<const Entry> entries() const noexcept { return entries_; }

 private:
  static constexpr std::size_t kWays = 8;

  [[nodiscard]] std::span<Entry> set_of(const proto::Ipv6Address& address) noexcept {
    const std::size_t sets = entries_.size() / kWays;
    const std::size_t set = (seeded_hash(address, seed_) >> 32) % sets;
    return std::span{entries_}.subspan(set * kWays, kWays);
  }

  std::vector<Entry> entries_;
  std::uint64_t seed_;
};

}  // namespace culvert
