#include "io/cache_line.h"

#include <sys/mman.h>

namespace culvert::io::detail {
namespace {

/// Allocations of this size and more use mmap().
constexpr std::size_t kLargeBytes = 64 * 1024;

}  // namespace

void* allocate_lines(std::size_t bytes, std::align_val_t alignment) {
  if (bytes < kLargeBytes) return ::operator new(bytes, alignment);
  void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc{};
  return memory;
}

void free_lines(void* memory, std::size_t bytes, std::align_val_t alignment) noexcept {
  if (bytes < kLargeBytes) return ::operator delete(memory, alignment);
  ::munmap(memory, bytes);
}

}  // namespace culvert::io::detail
