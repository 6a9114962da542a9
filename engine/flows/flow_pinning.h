// One worker's use of the flow table: which flow a packet belongs to, computed some packets ahead
// of its turn so that its line has come from memory by then. Without a table it does nothing, and
// every packet goes by its route. One worker's thread; no allocation.
//
// The rules of pinning. A packet from a tunnel pins its flow to that tunnel, and to the outer
// addresses and interface by which it came. What the flow sends back goes there, as long as the
// tunnel is there and up. A flow that began with a packet of ours is placed where its route says,
// and stays there when routes and weights change; when its tunnel is gone or down it is placed
// again. An ICMP error goes by the pin of the packet that it quotes and changes nothing. The later
// fragments of a packet go where the first went.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "engine/flows/flow_key.h"
#include "engine/flows/flow_table.h"
#include "engine/model/inner_packet.h"
#include "io/packet.h"
#include "proto/parsed.h"

namespace culvert {

/// A packet from TUN before its turn.
struct OutboundPacket {
  proto::Parsed<InnerPacket> inner = Unexpected{proto::Malformed::truncated};
  FlowPacket flow{};          ///< without a table: of no flow
  std::uint64_t hash = 0;     ///< of flow.key
  std::uint32_t packets = 1;  ///< that it stands for

  /// All but its flow. What must not be read is not parsed.
  void parse(const io::Packet& packet) noexcept;
};
class FlowPinning {
 public:
  /// `table` may be null; otherwise it outlives this.
  explicit FlowPinning(FlowTable* table = nullptr) noexcept : table_(table) {}

  /// At the start of a round.
  void begin(Time now) noexcept {
    if (table_ != nullptr) now_ = table_->tick(now);
  }

  /// Packet `i` of a round's `packets`, which are asked for one after the other.
  [[nodiscard]] const OutboundPacket& outbound(std::span<const io::Packet> packets,
                                               std::size_t i) noexcept;
  /// Where the flow of an outbound packet is pinned; the packet is counted.
  [[nodiscard]] std::optional<FlowPin> pinned(const OutboundPacket& packet) noexcept;
  /// The packet went by `pin`; `is_placed`: because its route says so.
  void sent(const OutboundPacket& packet, const FlowPin& pin, bool is_placed) noexcept;

  /// What was sent by an interface has been refused for want of a route by it: for a second pins to
  /// it are not held to, so that packets go by the kernel's route.
  void avoid(std::uint32_t interface_index) noexcept {
    if (interface_index == 0) return;
    avoided_ = interface_index;
    avoided_at_ = now_;
  }

  /// A packet has come by `pin`. `bytes`: from which `inner` was parsed.
  void arrived(const InnerPacket& inner, std::span<const std::byte> bytes, std::uint32_t packets,
               const FlowPin& pin) noexcept;
  /// Before what has arrived is passed on: an answer to it finds its flow pinned.
  void finish() noexcept;

 private:
  /// Packets between the first look at a flow and its turn; its line is asked for half way.
  static constexpr std::size_t kAhead = 16;
  struct Arrival {
    FlowPacket flow{};
    std::uint64_t hash = 0;     ///< of flow.key
    std::uint32_t packets = 0;  ///< that it stands for
    FlowPin pin{};
  };

  void prepare(const io::Packet& packet, OutboundPacket& prepared) noexcept;
  [[nodiscard]] Arrival& next_arrival() noexcept;
  void add() noexcept;
  void take_oldest() noexcept;
  [[nodiscard]] FlowStep step(Direction direction, const FlowPacket& flow,
                              std::uint32_t packets) const noexcept {
    return {.direction = direction, .tcp_flags = flow.tcp_flags, .packets = packets, .now = now_};
  }

  FlowTable* table_;
  FlowTick now_{};
  std::uint32_t avoided_ = 0;  ///< interface index; 0: none
  FlowTick avoided_at_{};
  std::array<OutboundPacket, kAhead> outbound_{};  ///< packet i is at i modulo kAhead
  std::size_t prepared_ = 0;                       ///< of the round
  std::array<Arrival, kAhead> arrivals_{};         ///< the same; from first_ to last_
  std::size_t first_ = 0, last_ = 0;
};

}  // namespace culvert
