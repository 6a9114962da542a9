#include "engine/forward/tunnel_prefetcher.h"

#include <algorithm>

#include "engine/model/encapsulations.h"
#include "proto/ipv4.h"
#include "proto/tcp_fields.h"

namespace culvert {
namespace {

using Bytes = std::span<const std::byte>;

/// Predicts the tunnel of an outbound packet from its destination; nullopt: no prediction.
std::optional<std::uint32_t> predict_outbound_slot(const Tables& tables, Bytes packet) noexcept {
  if (packet.size() < proto::kIpv4HeaderBytes) return std::nullopt;
  if (proto::ip_version(packet) == 4)
    return tables.routes().predict_slot(proto::ipv4_destination(packet));
  if (packet.size() < proto::kIpv6HeaderBytes) return std::nullopt;
  return tables.routes().predict_slot(proto::ipv6_destination(packet));
}

/// Predicts the tunnel of an inbound packet from its outer header and key; nullopt: no prediction.
std::optional<std::uint32_t> predict_inbound_slot(const Tables& tables, Bytes packet) noexcept {
  const auto outer = proto::parse_ipv4(packet, proto::ChecksumCheck::already_verified);
  if (!outer) return std::nullopt;
  const auto payload =
      decapsulate(outer->protocol, outer->payload, proto::ChecksumCheck::already_verified);
  if (!payload) return std::nullopt;
  return tables.predict_slot(outer->protocol, outer->source, outer->destination, payload->key);
}

void prefetch_bytes(const void* begin, std::size_t bytes) noexcept {
  const auto* const first = static_cast<const std::byte*>(begin);
  for (std::size_t offset = 0; offset < bytes; offset += io::kCacheLineBytes)
    __builtin_prefetch(first + offset);
  __builtin_prefetch(first + bytes - 1);
}

}  // namespace

void TunnelPrefetcher::outbound(std::span<const io::Packet> packets, std::size_t i) noexcept {
  if (is_enabled_) advance(packets, i, predict_outbound_slot);
}

void TunnelPrefetcher::inbound(std::span<const io::Packet> packets, std::size_t i) noexcept {
  if (is_enabled_) advance(packets, i, predict_inbound_slot);
}

template <class PredictSlot>
void TunnelPrefetcher::advance(std::span<const io::Packet> packets, std::size_t i,
                               PredictSlot predict_slot) noexcept {
  if (i == 0) with_slot_ = with_tunnel_ = with_path_ = 0;
  const auto until = [&](std::size_t distance) {
    return std::min(i + distance + 1, packets.size());
  };
  for (; with_slot_ < until(kSlotDistance); ++with_slot_) {
    const io::Packet& packet = packets[with_slot_];
    const bool is_readable = !packet.truncated && !packet.has_bad_offload;
    const auto slot = is_readable ? predict_slot(tables_, packet.bytes()) : std::nullopt;
    slots_[with_slot_ % kRing] = slot.value_or(kNone);
    if (slot) __builtin_prefetch(&tables_.slots()[*slot]);
  }
  for (; with_tunnel_ < until(kTunnelDistance); ++with_tunnel_)
    fetch_tunnel(slots_[with_tunnel_ % kRing]);
  for (; with_path_ < until(kPathDistance); ++with_path_) fetch_path(slots_[with_path_ % kRing]);
}

void TunnelPrefetcher::fetch_tunnel(std::uint32_t slot) const noexcept {
  const Tunnel* tunnel = tables_.find(slot);
  if (tunnel == nullptr) return;
  prefetch_bytes(tunnel, sizeof *tunnel);
  tunnel_stats_.prefetch(slot);
}

void TunnelPrefetcher::fetch_path(std::uint32_t slot) const noexcept {
  const Tunnel* tunnel = tables_.find(slot);
  if (tunnel == nullptr) return;
  prefetch_bytes(tunnel->path.get(), sizeof *tunnel->path);
  if (!tunnel->config.prefixes6.empty()) __builtin_prefetch(tunnel->config.prefixes6.data());
}

}  // namespace culvert
