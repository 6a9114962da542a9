#include "engine/tables/tunnel_stats.h"

#include <sys/mman.h>

#include <cerrno>
#include <utility>

namespace culvert {

void TunnelStats::Unmap::operator()(Chunk* chunk) const noexcept { ::munmap(chunk, sizeof(Chunk)); }

Result<void> TunnelStats::prepare(std::uint32_t slot, std::uint16_t identification) {
  auto& chunk_of_slot = chunks_[slot / kChunkTunnels];
  if (!chunk_of_slot) {
    // Zero pages are valid counters at 0. A constructor would touch them and make all pages
    // resident.
    void* memory =
        ::mmap(nullptr, sizeof(Chunk), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
      return Unexpected{Error{
          .code = errno, .operation = "allocate", .object = "counters of tunnels", .advice = ""}};
    chunk_of_slot.reset(static_cast<Chunk*>(memory));
  }
  counters(slot).clear();
  state(slot) = {.next_identification = identification};
  return {};
}

Totals TunnelStats::totals(std::uint32_t slot) const noexcept {
  if (!chunks_[slot / kChunkTunnels]) return {};
  const Chunk& all = chunk(slot);
  const std::size_t lane = slot % kChunkTunnels;
  return read_counters(all.rows[lane].frequent, &all.rare[0][lane], kChunkTunnels);
}

}  // namespace culvert
