#include "io/packet_pool.h"

#include <sys/mman.h>

#include <cerrno>

namespace culvert::io {

Result<PacketPool> PacketPool::open(std::size_t count, std::size_t slot_bytes) {
  void* region = ::mmap(nullptr, count * slot_bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (region == MAP_FAILED) {
    return Unexpected{Error{.code = errno,
                            .operation = "map packet buffers",
                            .object = std::to_string(count * slot_bytes) + " bytes",
                            .advice = "fewer packets per queue or fewer workers need less"}};
  }
  PacketPool pool;
  pool.region_ = static_cast<std::byte*>(region);
  pool.count_ = count;
  pool.slot_bytes_ = slot_bytes;
  return pool;
}

PacketPool::~PacketPool() {
  if (region_ != nullptr) ::munmap(region_, count_ * slot_bytes_);
}

}  // namespace culvert::io
