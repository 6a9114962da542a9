#include "engine/tables/tunnel_stats.h"

#include <utility>

namespace culvert {

Result<void> TunnelStats::prepare(std::uint32_t slot, std::uint16_t identification) {
  io::Pages& chunk_of_slot = chunks_[slot / kChunkTunnels];
  if (!chunk_of_slot) {
    // Pages of zeros are valid counters at 0. A constructor would touch them and make all pages
    // resident.
    auto pages = io::Pages::map(sizeof(Chunk), io::Pages::Kind::on_demand, "counters of tunnels");
    if (!pages) return Unexpected{pages.error()};
    chunk_of_slot = std::move(*pages);
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
