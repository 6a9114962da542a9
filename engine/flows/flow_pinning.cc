#include "engine/flows/flow_pinning.h"

#include <algorithm>

#include "proto/in_place.h"

namespace culvert {

// ---- outbound -----------------------------------------------------------------------------------

std::optional<FlowPin> FlowPinning::pinned(const FlowPacket& flow) noexcept {
  if (flow.role == FlowRole::none) return std::nullopt;
  auto pin = flow.role == FlowRole::error
                 ? table_->find(flow.key, flow.hash, now_)
                 : table_->pinned(flow.key, flow.hash, step(Direction::outbound, flow));
  const bool is_avoided = pin && avoided_ != 0 && pin->interface_index == avoided_ &&
                          now_.since(avoided_at_) <= std::chrono::seconds{1};
  if (is_avoided) pin->interface_index = 0;
  return pin;
}

/// Later fragments create no flow: the first fragment has created it.
void FlowPinning::sent(const FlowPacket& flow, const FlowPin& pin, bool is_placed) noexcept {
  if (flow.role != FlowRole::packet && flow.role != FlowRole::first_fragment) return;
  const FlowStep made = step(Direction::outbound, flow);
  if (is_placed && flow.key.protocol != kFlowFragments)
    table_->place(flow.key, flow.hash, made, pin);
  if (flow.role != FlowRole::first_fragment) return;
  const FlowKey fragments = flow.fragments();
  table_->place(fragments, table_->hash(fragments), made, pin);
}

bool FlowPinning::has_mirrored(const FlowKey& key, std::uint16_t slot,
                               proto::Ipv4Address remote) const noexcept {
  if (key.far == key.near) return false;
  const FlowKey arrived = key.mirrored();
  const auto pin = table_->find_recent(arrived, table_->hash(arrived), now_);
  // A flow that began outbound has no remote.
  return pin && pin->slot == slot && pin->remote == remote;
}

// ---- inbound ------------------------------------------------------------------------------------

void FlowPinning::pin_inbound(const PacketMeta& meta, std::span<const std::byte> bytes,
                              const FlowPin& pin) noexcept {
  if (table_ == nullptr) return;
  PendingPin& pending = next_pending();
  proto::make_in_place(pending.flow, [&] { return flow_of(meta, bytes, Direction::inbound); });
  const FlowPacket& flow = pending.flow;
  const bool belongs_to_flow =
      flow.role == FlowRole::packet || flow.role == FlowRole::first_fragment;
  if (!belongs_to_flow || flow.key.protocol == kFlowFragments) return;
  pending.pin = pin;
  add();
  if (flow.role != FlowRole::first_fragment) return;
  const FlowKey fragments = flow.fragments();
  next_pending() = {.flow = {.key = fragments, .packet_count = meta.packet_count}, .pin = pin};
  add();
}

/// The ring element for the next inbound packet.
FlowPinning::PendingPin& FlowPinning::next_pending() noexcept {
  if (last_ - first_ == kPrefetchDistance) pin_oldest();
  return pending_[last_ % kPrefetchDistance];
}

/// Hashes the element from next_pending(), which is otherwise complete, and appends it to the ring.
void FlowPinning::add() noexcept {
  FlowPacket& flow = pending_[last_ % kPrefetchDistance].flow;
  flow.hash = table_->hash(flow.key);
  table_->prefetch_index(flow.hash);
  if (last_ - first_ >= kPrefetchDistance / 2)
    table_->prefetch_entry(pending_[(last_ - kPrefetchDistance / 2) % kPrefetchDistance].flow.hash);
  ++last_;
}

void FlowPinning::pin_oldest() noexcept {
  const auto& [flow, pin] = pending_[first_++ % kPrefetchDistance];
  table_->pin(flow.key, flow.hash, step(Direction::inbound, flow), pin);
}

void FlowPinning::finish() noexcept {
  const std::size_t not_prefetched = std::min(last_ - first_, kPrefetchDistance / 2);
  for (std::size_t i = last_ - not_prefetched; i < last_; ++i)
    table_->prefetch_entry(pending_[i % kPrefetchDistance].flow.hash);
  while (first_ != last_) pin_oldest();
}

}  // namespace culvert
