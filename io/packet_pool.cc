#include "io/packet_pool.h"

#include <sys/mman.h>

#include <algorithm>
#include <utility>

namespace culvert::io {

Result<PacketPool> PacketPool::open(std::size_t count, std::size_t slot_bytes) {
  auto memory = Pages::map(count * slot_bytes, Pages::Kind::scattered, "packet buffers",
                           "fewer packets per queue or fewer workers need less");
  if (!memory) return Unexpected{memory.error()};
  PacketPool pool;
  pool.memory_ = std::move(*memory);
  pool.count_ = count;
  pool.slot_bytes_ = slot_bytes;
  const std::size_t resident_bytes = std::min(slot_bytes, kResidentBytes);
  for (std::size_t i = 0; i < count; ++i) {
    const auto slot = pool.slot(i);
    for (const std::size_t offset : {std::size_t{0}, resident_bytes - 1}) slot[offset] = {};
  }
  return pool;
}

void PacketPool::make_resident() noexcept {
  is_resident_ = true;
#ifdef MADV_POPULATE_WRITE
  ::madvise(memory_.data(), memory_.size_bytes(), MADV_POPULATE_WRITE);
#endif
}

}  // namespace culvert::io
