// PacketPool: a fixed number of packet buffers (slots) of one size. All memory is mapped at the start, so
// it does not grow. What a packet of the usual MTU needs of each slot is resident from the start, and all
// of it from the first larger packet on: an idle device needs little, and a busy one does not fault page
// by page. One thread.
#pragma once

#include <cstddef>
#include <span>

#include "io/pages.h"
#include "io/result.h"

namespace culvert::io {

class PacketPool {
 public:
  /// The first bytes of each slot that are resident from the start.
  static constexpr std::size_t kResidentBytes = 2'048;

  /// Maps `count` slots of `slot_bytes` bytes each. Fails with the errno of mmap().
  [[nodiscard]] static Result<PacketPool> open(std::size_t count, std::size_t slot_bytes);

  /// Makes all memory resident if `bytes` of a slot are in use and have not been before: one system call
  /// for the lifetime of the pool. Before Linux 5.14 pages become resident one by one.
  void use(std::size_t bytes) noexcept {
    if (bytes > kResidentBytes && !is_resident_) [[unlikely]]
      make_resident();
  }

  [[nodiscard]] std::size_t count() const noexcept { return count_; }
  [[nodiscard]] std::span<std::byte> slot(std::size_t index) const noexcept {
    return {memory_.data() + index * slot_bytes_, slot_bytes_};
  }

 private:
  void make_resident() noexcept;

  Pages memory_;
  std::size_t count_ = 0;
  std::size_t slot_bytes_ = 0;
  bool is_resident_ = false;
};

}  // namespace culvert::io
