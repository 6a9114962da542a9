// Memory that one core writes and no other core touches: on cache lines of its own, so that a write
// takes no line away from another core. malloc() does not see to that: what two workers were given
// may meet in one line.
#pragma once

#include <algorithm>
#include <cstddef>
#include <new>
#include <utility>
#include <vector>

namespace culvert::io {

/// Fixed, since it is part of the layout of types in installed headers.
inline constexpr std::size_t kCacheLineBytes = 64;

namespace detail {
/// Throw std::bad_alloc. Large memory is fresh from the kernel and goes back to it.
[[nodiscard]] void* allocate_lines(std::size_t bytes, std::align_val_t alignment);
void free_lines(void* memory, std::size_t bytes, std::align_val_t alignment) noexcept;
}  // namespace detail

/// Gives whole lines. What is made without a value stays uninitialized where its type allows that:
/// large arrays are not resident before they are used.
template <class T>
struct LineAllocator {
  using value_type = T;

  LineAllocator() = default;
  template <class U>
  LineAllocator(const LineAllocator<U>&) noexcept {}

  [[nodiscard]] T* allocate(std::size_t count) {
    return static_cast<T*>(detail::allocate_lines(bytes_of(count), kAlignment));
  }
  void deallocate(T* memory, std::size_t count) noexcept {
    detail::free_lines(memory, bytes_of(count), kAlignment);
  }

  template <class U, class... Arguments>
  void construct(U* place, Arguments&&... arguments) {
    if constexpr (sizeof...(Arguments) == 0) {
      ::new (static_cast<void*>(place)) U;
    } else {
      ::new (static_cast<void*>(place)) U(std::forward<Arguments>(arguments)...);
    }
  }

  friend bool operator==(const LineAllocator&, const LineAllocator&) { return true; }

 private:
  static constexpr std::align_val_t kAlignment{std::max(kCacheLineBytes, alignof(T))};
  static constexpr std::size_t bytes_of(std::size_t count) noexcept {
    return (count * sizeof(T) + kCacheLineBytes - 1) / kCacheLineBytes * kCacheLineBytes;
  }
};

/// A vector that shares no cache line with anything else.
template <class T>
using LineVector = std::vector<T, LineAllocator<T>>;

}  // namespace culvert::io
