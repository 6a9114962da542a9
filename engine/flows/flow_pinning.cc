#include "engine/flows/flow_pinning.h"

#include <algorithm>

#include "engine/offload/gso.h"
#include "proto/in_place.h"

namespace culvert {

void OutboundPacket::classify(const io::Packet& packet) noexcept {
  flow.role = FlowRole::none;
  if (packet.truncated || packet.has_bad_offload) {
    meta = {};
  } else {
    proto::make_in_place(meta, [&] { return culvert::classify(packet.bytes()); });
  }
  meta.packet_count = packet_count(packet);
}

// ---- outbound -----------------------------------------------------------------------------------

void FlowPinning::prepare(const io::Packet& packet, OutboundPacket& prepared) noexcept {
  prepared.classify(packet);
  if (table_ == nullptr) return;
  proto::make_in_place(prepared.flow,
                       [&] { return flow_of(prepared.meta, packet.bytes(), Direction::outbound); });
  if (prepared.flow.role == FlowRole::none) return;
  prepared.hash = table_->hash(prepared.flow.key);
  table_->prefetch_index(prepared.hash);
}

const OutboundPacket& FlowPinning::outbound(std::span<const io::Packet> packets,
                                            std::size_t i) noexcept {
  if (table_ == nullptr) {
    prepare(packets[i], outbound_[0]);
    return outbound_[0];
  }
  const auto prefetch = [&](std::size_t other) {
    const OutboundPacket& packet = outbound_[other % kPrefetchDistance];
    if (packet.flow.role != FlowRole::none) table_->prefetch_entry(packet.hash);
  };
  if (i == 0) prepared_ = 0;
  const std::size_t wanted = std::min(i + kPrefetchDistance, packets.size());
  for (; prepared_ < wanted; ++prepared_)
    prepare(packets[prepared_], outbound_[prepared_ % kPrefetchDistance]);
  constexpr std::size_t kHalf = kPrefetchDistance / 2;
  for (std::size_t other = i == 0 ? 0 : i + kHalf; other < std::min(i + kHalf + 1, wanted); ++other)
    prefetch(other);
  return outbound_[i % kPrefetchDistance];
}

std::optional<FlowPin> FlowPinning::pinned(const OutboundPacket& packet) noexcept {
  const FlowPacket& flow = packet.flow;
  if (flow.role == FlowRole::none) return std::nullopt;
  auto pin = flow.role == FlowRole::error
                 ? table_->find(flow.key, packet.hash, now_)
                 : table_->pinned(flow.key, packet.hash,
                                  step(Direction::outbound, flow, packet.meta.packet_count));
  const bool is_avoided = pin && avoided_ != 0 && pin->interface_index == avoided_ &&
                          now_.since(avoided_at_) <= std::chrono::seconds{1};
  if (is_avoided) pin->interface_index = 0;
  return pin;
}

/// Later fragments create no flow: the first fragment has created it.
void FlowPinning::sent(const OutboundPacket& packet, const FlowPin& pin, bool is_placed) noexcept {
  const FlowPacket& flow = packet.flow;
  if (flow.role != FlowRole::packet && flow.role != FlowRole::first_fragment) return;
  const FlowStep made = step(Direction::outbound, flow, packet.meta.packet_count);
  if (is_placed && flow.key.protocol != kFlowFragments)
    table_->place(flow.key, packet.hash, made, pin);
  if (flow.role != FlowRole::first_fragment) return;
  const FlowKey fragments = flow.fragments();
  table_->place(fragments, table_->hash(fragments), made, pin);
}

// ---- inbound ------------------------------------------------------------------------------------

void FlowPinning::pin_inbound(const PacketMeta& meta, std::span<const std::byte> bytes,
                              const FlowPin& pin) noexcept {
  if (table_ == nullptr) return;
  Arrival& arrival = next_arrival();
  proto::make_in_place(arrival.flow, [&] { return flow_of(meta, bytes, Direction::inbound); });
  const FlowPacket& flow = arrival.flow;
  const bool belongs_to_flow =
      flow.role == FlowRole::packet || flow.role == FlowRole::first_fragment;
  if (!belongs_to_flow || flow.key.protocol == kFlowFragments) return;
  arrival.packets = meta.packet_count;
  arrival.pin = pin;
  add();
  if (flow.role != FlowRole::first_fragment) return;
  const FlowKey fragments = flow.fragments();
  Arrival& fragments_arrival = next_arrival();
  fragments_arrival = {.flow = {.key = fragments}, .packets = meta.packet_count, .pin = pin};
  add();
}

/// The ring element for the next inbound packet.
FlowPinning::Arrival& FlowPinning::next_arrival() noexcept {
  if (last_ - first_ == kPrefetchDistance) pin_oldest();
  return arrivals_[last_ % kPrefetchDistance];
}

/// Hashes the element from next_arrival(), which is otherwise complete, and appends it to the ring.
void FlowPinning::add() noexcept {
  Arrival& arrival = arrivals_[last_ % kPrefetchDistance];
  arrival.hash = table_->hash(arrival.flow.key);
  table_->prefetch_index(arrival.hash);
  if (last_ - first_ >= kPrefetchDistance / 2)
    table_->prefetch_entry(arrivals_[(last_ - kPrefetchDistance / 2) % kPrefetchDistance].hash);
  ++last_;
}

void FlowPinning::pin_oldest() noexcept {
  const Arrival& arrival = arrivals_[first_++ % kPrefetchDistance];
  table_->pin(arrival.flow.key, arrival.hash,
              step(Direction::inbound, arrival.flow, arrival.packets), arrival.pin);
}

void FlowPinning::finish() noexcept {
  const std::size_t not_prefetched = std::min(last_ - first_, kPrefetchDistance / 2);
  for (std::size_t i = last_ - not_prefetched; i < last_; ++i)
    table_->prefetch_entry(arrivals_[i % kPrefetchDistance].hash);
  while (first_ != last_) pin_oldest();
}

}  // namespace culvert
