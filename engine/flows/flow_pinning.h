// FlowPinning: one worker's access to the flow table. It computes the flow of each packet several
// packets ahead of the packet's turn and prefetches its cache lines. Without a table it does
// nothing, and every packet follows its route. One worker's thread; no allocation.
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
#include "io/packet.h"

namespace culvert {

/// A packet from TUN that is classified ahead of its turn.
struct OutboundPacket {
  PacketMeta meta{};       ///< without an IP header if the packet must not be read
  FlowPacket flow{};       ///< without a table the role is none
  std::uint64_t hash = 0;  ///< of flow.key

  /// Classifies the packet, and sets no flow.
  void classify(const io::Packet& packet) noexcept;
};

class FlowPinning {
 public:
  /// `table` may be null; otherwise it must outlive this object.
  explicit FlowPinning(FlowTable* table = nullptr) noexcept : table_(table) {}

  /// Starts a round.
  void begin(Time now) noexcept {
    if (table_ != nullptr) now_ = table_->tick(now);
  }

  /// Returns packet `i` of the round's `packets` with its flow. Called for i = 0, 1, ... in order.
  [[nodiscard]] const OutboundPacket& outbound(std::span<const io::Packet> packets,
                                               std::size_t i) noexcept;
  /// Returns the pin of an outbound packet's flow and counts the packet in the flow.
  [[nodiscard]] std::optional<FlowPin> pinned(const OutboundPacket& packet) noexcept;
  /// Records that the packet left by `pin`. `is_placed`: its route selected the tunnel, so its flow
  /// is pinned there now.
  void sent(const OutboundPacket& packet, const FlowPin& pin, bool is_placed) noexcept;

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
  /// Prefetch distance in packets: the tags of a flow's groups are prefetched this far ahead, its
  /// entry half as far.
  static constexpr std::size_t kPrefetchDistance = 16;
  struct Arrival {
    FlowPacket flow{};
    std::uint64_t hash = 0;     ///< of flow.key
    std::uint32_t packets = 0;  ///< packets that it stands for
    FlowPin pin{};
  };

  void prepare(const io::Packet& packet, OutboundPacket& prepared) noexcept;
  [[nodiscard]] Arrival& next_arrival() noexcept;
  void add() noexcept;
  void pin_oldest() noexcept;
  [[nodiscard]] FlowStep step(Direction direction, const FlowPacket& flow,
                              std::uint32_t packets) const noexcept {
    return {.direction = direction, .tcp_flags = flow.tcp_flags, .packets = packets, .now = now_};
  }

  FlowTable* table_;
  FlowTick now_{};
  std::uint32_t avoided_ = 0;  ///< interface index; 0: none
  FlowTick avoided_at_{};
  /// Packet i is at index i modulo kPrefetchDistance.
  std::array<OutboundPacket, kPrefetchDistance> outbound_{};
  std::size_t prepared_ = 0;  ///< parsed packets of this round
  /// A ring from first_ to last_, likewise modulo kPrefetchDistance.
  std::array<Arrival, kPrefetchDistance> arrivals_{};
  std::size_t first_ = 0, last_ = 0;
};

}  // namespace culvert
