// AddressTable: IPv6 address to value in fixed memory. Sets of eight places, chosen by a hash with
// a secret, so that who can choose addresses cannot fill a set on purpose; which of a set's entries
// gives way to a new one is the caller's rule. One thread; nothing is allocated after construction.
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

/// A hash that nobody can predict who does not know `seed`; its upper half is the better one.
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

  /// `entries`: rounded up to eight times a power of two. `seed`: random, and told to nobody.
  AddressTable(std::size_t entries, std::uint64_t seed)
      : entries_(kWays * std::bit_ceil((entries + kWays - 1) / kWays)), seed_(seed) {}

  /// Null: not there.
  [[nodiscard]] Value* find(const proto::Ipv6Address& address) noexcept {
    for (Entry& entry : set_of(address)) {
      if (entry.is_used && entry.address == address) return &entry.value;
    }
    return nullptr;
  }

  /// A place for an address that is not there. `rank(value)`: which entry gives way, the lowest
  /// first; one below 0 never does. Null: none of the set may.
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
