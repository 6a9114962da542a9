// Walks the option lists of IPv4 (RFC 791 3.1) and TCP (RFC 9293 3.1). Both have the same format: a
// kind, a size that counts kind and size too, and data. Two kinds are a single byte. Pure
// functions; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "proto/byte_order.h"

namespace culvert::proto {

/// Calls `visit(kind, offset, size)` for each option that has a size. `offset` and `size` are bytes
/// within `options`. Stops at the end of the list or at a malformed option, since the position of
/// the next option is unknown.
template <class Visit>
void for_each_option(std::span<const std::byte> options, Visit visit) noexcept {
  constexpr std::uint8_t kEndOfList = 0, kNoOperation = 1;
  for (std::size_t offset = 0; offset < options.size();) {
    const std::uint8_t kind = load_u8(options, offset);
    if (kind == kEndOfList) return;
    if (kind == kNoOperation) {
      ++offset;
      continue;
    }
    if (offset + 1 >= options.size()) return;
    const std::size_t size = load_u8(options, offset + 1);
    if (size < 2 || size > options.size() - offset) return;
    visit(kind, offset, size);
    offset += size;
  }
}

}  // namespace culvert::proto
