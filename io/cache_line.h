// Allocation on whole cache lines, for memory that only one core writes. It prevents false sharing:
// malloc() may place the data of two workers in one cache line. Any thread.
#pragma once

#include <algorithm>
#include <cstddef>
#include <new>
#include <utility>
#include <vector>

namespace culvert::io {

/// A constant, since it is part of the layout of types in installed headers.
inline constexpr std::size_t kCacheLineBytes = 64;

namespace detail {
/// allocate_lines() throws std::bad_alloc. Allocations of 64 KiB and more are mmap() and munmap().
[[nodiscard]] void* allocate_lines(std::size_t bytes, std::align_val_t alignment);
void free_lines(void* memory, std::size_t bytes, std::align_val_t alignment) noexcept;
}  // namespace detail

/// An allocator of whole cache lines. Elements that are created without a value stay uninitialized
/// if their type allows that, so the pages of a large array are not resident before their first
/// use.
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

/// A vector whose elements share no cache line with other data.
template <class T>
using LineVector = std::vector<T, LineAllocator<T>>;

}  // namespace culvert::io
