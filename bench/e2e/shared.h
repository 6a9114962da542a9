// Shared<T>: memory that a process shares with the children that it starts later. Any thread.
#pragma once

#include <sys/mman.h>

#include <cerrno>
#include <cstddef>
#include <memory>
#include <new>
#include <string>
#include <type_traits>

#include "bench/e2e/error.h"

namespace culvert::bench {

struct Unmap {
  std::size_t bytes = 0;
  template <class T>
  void operator()(T* memory) const noexcept {
    ::munmap(memory, bytes);
  }
};
template <class T>
using Shared = std::unique_ptr<T[], Unmap>;

/// Creates `count` default-constructed objects. They are never destroyed, so T must have a trivial
/// destructor.
template <class T>
requires std::is_trivially_destructible_v<T> Result<Shared<T>> share(std::size_t count) {
  const std::size_t bytes = count * sizeof(T);
  void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return fail(errno, "share memory", "with a load");
  auto* first = static_cast<T*>(memory);
  for (std::size_t i = 0; i < count; ++i) new (first + i) T;
  return Shared<T>{first, Unmap{bytes}};
}

}  // namespace culvert::bench
