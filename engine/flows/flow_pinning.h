// FlowPinning: one worker's access to the flow table: it finds the pin of an outbound packet and pins
// the flow of an inbound one. Without a table it does nothing, and every packet follows its route.
// One worker's thread; no allocation.
//
// Rules of return-path pinning:
//  - An inbound packet pins its flow to its tunnel, outer addresses and interface. Outbound packets
//    of the flow follow the pin while the tunnel exists and is up.
//  - A flow that begins with an outbound packet is pinned to the tunnel of its route. It stays
//    there when routes and weights change. When the tunnel is gone or down, the flow is pinned
//    again.
//  - An ICMP error follows the pin of the packet that it quotes, and changes nothing.
//  - Later fragments of a packet follow the first fragment.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "engine/flows/flow_key.h"
#include "engine/flows/flow_table.h"
#include "engine/model/packet_meta.h"

namespace culvert {

class FlowPinning {
 public:
  /// `table` may be null; otherwise it must outlive this object.
  explicit FlowPinning(FlowTable* table = nullptr) noexcept : table_(table) {}

  /// Starts a round.
  void begin(Time now) noexcept {
    if (table_ != nullptr) now_ = table_->tick(now);
  }

  /// Returns the pin of an outbound packet's flow and counts the packet in the flow. `flow`: with
  /// its hash.
  [[nodiscard]] std::optional<FlowPin> pinned(const FlowPacket& flow) noexcept;
  /// Records that the packet left by `pin`. `is_placed`: its route selected the tunnel, so its flow
  /// is pinned there now.
  void sent(const FlowPacket& flow, const FlowPin& pin, bool is_placed) noexcept;

  /// Returns whether an outbound packet without a pin would return to where it came from: within the
  /// last second a packet with the same source, destination and ports has arrived by the tunnel in
  /// this slot from this remote endpoint. Costs a look-up. ICMP errors have no flow of their own, and
  /// are not recognized. A packet from a host to itself is meant to return: the probe of RFC 7676 3.2.
  [[nodiscard]] bool has_arrived_by(const FlowPacket& flow, std::uint16_t slot,
                                    proto::Ipv4Address remote) const noexcept {
    return (flow.role == FlowRole::packet || flow.role == FlowRole::first_fragment) &&
           has_mirrored(flow.key, slot, remote);
  }

  /// Sending by this interface failed because there is no route. For one second, pins to it are
  /// ignored and packets follow the kernel's route. 0: no effect.
  void avoid_interface(std::uint32_t interface_index) noexcept {
    if (interface_index == 0) return;
    avoided_ = interface_index;
    avoided_at_ = now_;
  }

  /// Pins the flow of an inbound packet to `pin`. `meta`: as classified from `bytes`.
  void pin_inbound(const PacketMeta& meta, std::span<const std::byte> bytes,
                   const FlowPin& pin) noexcept;
  /// Stores all pins of this round in the table. Called before the inbound packets are written to
  /// TUN, so that a reply finds its flow pinned.
  void finish() noexcept;

 private:
  /// An inbound packet's pin is stored this many packets later: the tags of its flow's groups are
  /// prefetched at once, its entry after half the distance.
  static constexpr std::size_t kPrefetchDistance = 16;
  struct PendingPin {
    FlowPacket flow{};
    FlowPin pin{};
  };

  /// Cold: it is called for the first packet of a flow alone.
  [[nodiscard, gnu::cold]] bool has_mirrored(const FlowKey& key, std::uint16_t slot,
                                             proto::Ipv4Address remote) const noexcept;
  [[nodiscard]] PendingPin& next_pending() noexcept;
  void add() noexcept;
  void pin_oldest() noexcept;
  [[nodiscard]] FlowStep step(Direction direction, const FlowPacket& flow) const noexcept {
    return {.direction = direction,
            .tcp_flags = flow.tcp_flags,
            .packets = flow.packet_count,
            .now = now_};
  }

  FlowTable* table_;
  FlowTick now_{};
  std::uint32_t avoided_ = 0;  ///< interface index; 0: none
  FlowTick avoided_at_{};
  /// A ring from first_ to last_, modulo kPrefetchDistance.
  std::array<PendingPin, kPrefetchDistance> pending_{};
  std::size_t first_ = 0, last_ = 0;
};

}  // namespace culvert
