// PacketPool: a fixed number of packet buffers (slots) of one size. All memory is mapped at the start, so
// it does not grow. What a packet of the usual MTU needs of each slot is resident from the start. The
// rest becomes so with the first super-packet that reaches it, so an idle device needs little. One thread.
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

  [[nodiscard]] std::size_t count() const noexcept { return count_; }
  [[nodiscard]] std::span<std::byte> slot(std::size_t index) const noexcept {
    return {memory_.data() + index * slot_bytes_, slot_bytes_};
  }

 private:
  Pages memory_;
  std::size_t count_ = 0;
  std::size_t slot_bytes_ = 0;
};

}  // namespace culvert::io
