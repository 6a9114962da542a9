#include "io/packet_pool.h"

#include <utility>

namespace culvert::io {

Result<PacketPool> PacketPool::open(std::size_t count, std::size_t slot_bytes) {
  auto memory = Pages::map(count * slot_bytes, Pages::Kind::resident, "packet buffers",
                           "fewer packets per queue or fewer workers need less");
  if (!memory) return Unexpected{memory.error()};
  PacketPool pool;
  pool.memory_ = std::move(*memory);
  pool.count_ = count;
  pool.slot_bytes_ = slot_bytes;
  return pool;
}

}  // namespace culvert::io
