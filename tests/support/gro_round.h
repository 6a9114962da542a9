// One round of a Gro: packets are added in order, and the output is copied to whole packets.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "engine/offload/gro.h"
#include "engine/offload/gso.h"
#include "tests/support/transport_packet.h"

namespace culvert::test {

class GroRound {
 public:
  static constexpr std::size_t kCapacityPackets = 512;

  struct Output {
    Bytes bytes;
    io::Offload offload;
    std::uint32_t tunnel = 0, packets = 0, byte_count = 0;
    std::size_t slice_count = 0;
  };

  explicit GroRound(bool joins_udp = true) : gro_(kCapacityPackets, joins_udp) {}

  /// `link_bytes`: size of the link-layer header in front of the packet.
  void add(Bytes bytes, const io::Offload& offload = {}, std::uint32_t tunnel = 0,
           bool may_coalesce = true, std::size_t link_bytes = 0) {
    buffers_.push_back(std::move(bytes));
    packets_.emplace_back(buffers_.back(), 0, buffers_.back().size()).offload = offload;
    io::Packet& packet = packets_.back();
    gro_.add(packet, classify(packet.bytes(), link_bytes), tunnel, packet_count(packet),
             may_coalesce);
  }
  void add(const TransportPacket& packet) { add(test::draw(packet)); }

  std::vector<Output> finish() {
    std::vector<Output> outputs;
    for (const GroOutput& coalesced : gro_.finish()) {
      Output output{.bytes = Bytes(coalesced.packet.head.begin(), coalesced.packet.head.end()),
                    .offload = coalesced.packet.offload,
                    .tunnel = coalesced.tunnel,
                    .packets = coalesced.packets,
                    .byte_count = coalesced.bytes,
                    .slice_count = coalesced.packet.slices.size()};
      for (const auto slice : coalesced.packet.slices) {
        output.bytes.insert(output.bytes.end(), slice.begin(), slice.end());
      }
      outputs.push_back(std::move(output));
    }
    gro_.clear();
    packets_.clear();
    buffers_.clear();
    return outputs;
  }

  /// The number of packets that each output stands for.
  std::vector<std::uint32_t> finish_counts() {
    std::vector<std::uint32_t> counts;
    for (const Output& output : finish()) counts.push_back(output.packets);
    return counts;
  }

 private:
  Gro gro_;
  std::deque<Bytes> buffers_;
  std::deque<io::Packet> packets_;
};

}  // namespace culvert::test
