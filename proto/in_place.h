// Making a value where it is to be. A copy reads wider pieces than a value's fields were written
// in, and while those are still on their way to the cache the processor waits for them: 5 to 10 ns
// each time. What a packet's way makes and keeps is made where it is kept.
#pragma once

#include <new>
#include <type_traits>

namespace culvert::proto {

/// `make()` returns a T. The value that was there is not destroyed, for it needs no destruction.
template <class T, class Make>
void make_in_place(T& place, Make make) noexcept {
  static_assert(std::is_trivially_destructible_v<T>);
  ::new (static_cast<void*>(&place)) T(make());
}

}  // namespace culvert::proto
