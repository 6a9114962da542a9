#include "engine/forward/prefetcher.h"

#include <algorithm>

#include "engine/model/encapsulations.h"
#include "proto/in_place.h"
#include "proto/ipv4.h"

namespace culvert {
namespace {

/// Predicts the tunnel of an inbound packet from its outer header and key; nullopt: no prediction.
std::optional<std::uint32_t> predict_inbound_slot(const Tables& tables,
                                                  const io::Packet& packet) noexcept {
  if (packet.truncated || packet.has_bad_offload) return std::nullopt;
  const auto outer = proto::parse_ipv4(packet.bytes(), proto::ChecksumCheck::already_verified);
  if (!outer) return std::nullopt;
  const auto payload =
      decapsulate(outer->protocol, outer->payload, proto::ChecksumCheck::already_verified);
  if (!payload) return std::nullopt;
  return tables.predict_slot(outer->protocol, outer->source, outer->destination, payload->key);
}

/// The empty statement counts as a side effect: g++ 12 removes calls of functions that only
/// prefetch.
void prefetch_bytes(const void* begin, std::size_t bytes) noexcept {
  asm volatile("");
  const auto* const first = static_cast<const std::byte*>(begin);
  for (std::size_t offset = 0; offset < bytes; offset += io::kCacheLineBytes)
    __builtin_prefetch(first + offset);
  __builtin_prefetch(first + bytes - 1);
}

/// Calls `step` for the packets of a round, `distance` packets ahead of the turn of packet `i`: for
/// the first ones at once when i is 0, and then for one packet a turn.
template <class Step>
void ahead(std::size_t i, std::size_t distance, std::size_t count, Step step) noexcept {
  const std::size_t end = std::min(i + distance + 1, count);
  for (std::size_t next = i == 0 ? 0 : i + distance; next < end; ++next) step(next);
}

}  // namespace

const OutboundPacket& Prefetcher::outbound(std::span<const io::Packet> packets,
                                           std::size_t i) noexcept {
  if (flows_ == nullptr && !predicts_tunnels_) {
    classify(packets[i], outbound_[0]);
    return outbound_[0];
  }
  ahead(i, kClassifyDistance, packets.size(), [&](std::size_t next) {
    OutboundPacket& packet = outbound_[next % kRing];
    classify(packets[next], packet);
    if (predicts_tunnels_) choose_tunnel(packets[next], packet, next);
  });
  ahead(i, kFlowDistance, packets.size(), [&](std::size_t next) {
    const FlowPacket& flow = outbound_[next % kRing].flow;
    if (flow.role != FlowRole::none) flows_->prefetch_entry(flow.hash);
  });
  if (predicts_tunnels_) prefetch_tunnels(i, packets.size());
  return outbound_[i % kRing];
}

void Prefetcher::inbound(std::span<const io::Packet> packets, std::size_t i) noexcept {
  if (!predicts_tunnels_) return;
  ahead(i, kClassifyDistance, packets.size(), [&](std::size_t next) {
    predict_slot(predict_inbound_slot(*tables_, packets[next]), next);
  });
  prefetch_tunnels(i, packets.size());
}

void Prefetcher::classify(const io::Packet& packet, OutboundPacket& result) noexcept {
  result.classify(packet);
  if (flows_ == nullptr) return;
  proto::make_in_place(result.flow,
                       [&] { return flow_of(result.meta, packet.bytes(), Direction::outbound); });
  if (result.flow.role == FlowRole::none) return;
  result.flow.hash = flows_->hash(result.flow.key);
  flows_->prefetch_index(result.flow.hash);
}

void Prefetcher::choose_tunnel(const io::Packet& packet, OutboundPacket& result,
                               std::size_t i) noexcept {
  const TunnelSelector& selector = tables_->selector();
  result.choice = selector.choose(result.meta, packet.bytes());
  predict_slot(selector.slot_of(result.choice), i);
}

void Prefetcher::predict_slot(std::optional<std::uint32_t> slot, std::size_t i) noexcept {
  slots_[i % kRing] = slot.value_or(kNoSlot);
  if (slot) __builtin_prefetch(&tables_->slots()[*slot]);
}

void Prefetcher::prefetch_tunnels(std::size_t i, std::size_t count) const noexcept {
  ahead(i, kTunnelDistance, count,
        [&](std::size_t next) { prefetch_tunnel(slots_[next % kRing]); });
  ahead(i, kPathDistance, count, [&](std::size_t next) { prefetch_path(slots_[next % kRing]); });
}

void Prefetcher::prefetch_tunnel(std::uint32_t slot) const noexcept {
  const Tunnel* tunnel = tables_->find(slot);
  if (tunnel == nullptr) return;
  prefetch_bytes(tunnel, sizeof *tunnel);
  tunnel_stats_.prefetch(slot);
}

void Prefetcher::prefetch_path(std::uint32_t slot) const noexcept {
  const Tunnel* tunnel = tables_->find(slot);
  if (tunnel == nullptr) return;
  prefetch_bytes(tunnel->path.get(), sizeof *tunnel->path);
  if (!tunnel->config.prefixes6.empty()) __builtin_prefetch(tunnel->config.prefixes6.data());
}

}  // namespace culvert
