// A hash table of 32-bit indices. The user defines what an index refers to and when two entries are
// equal. Eight bytes per bucket, at most two thirds of the buckets used. Built by one thread, then
// read by any.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace culvert {

class IndexTable {
 public:
  IndexTable() = default;
  /// Allocates buckets for `count` indices.
  explicit IndexTable(std::size_t count) : buckets_(std::bit_ceil(count + count / 2 + 1)) {}

  /// Adds an index below 2^32 - 1. Hashes must be spread over all 64 bits.
  void insert(std::uint64_t hash, std::uint32_t index) noexcept {
    std::size_t i = first(hash);
    while (buckets_[i].index_plus_one != 0) i = next(i);
    buckets_[i] = {static_cast<std::uint32_t>(hash), index + 1};
  }

  /// Returns the first index that was added with this hash and for which `matches(index)` returns
  /// true.
  template <class Matches>
  [[nodiscard]] std::optional<std::uint32_t> find(std::uint64_t hash,
                                                  Matches matches) const noexcept {
    if (buckets_.empty()) return std::nullopt;
    for (std::size_t i = first(hash); buckets_[i].index_plus_one != 0; i = next(i)) {
      const std::uint32_t index = buckets_[i].index_plus_one - 1;
      if (buckets_[i].tag == static_cast<std::uint32_t>(hash) && matches(index)) return index;
    }
    return std::nullopt;
  }

 private:
  struct Bucket {
    std::uint32_t tag = 0;  ///< low bits of the hash: most other entries differ in them
    std::uint32_t index_plus_one = 0;
  };

  [[nodiscard]] std::size_t first(std::uint64_t hash) const noexcept {
    return (hash >> 32) & (buckets_.size() - 1);
  }
  [[nodiscard]] std::size_t next(std::size_t i) const noexcept {
    return (i + 1) & (buckets_.size() - 1);
  }

  std::vector<Bucket> buckets_;
};

}  // namespace culvert
