// Many packets to one super-packet, within one batch: what GRO does for TCP, and USO in reverse for
// UDP. Nothing waits: what the batch does not complete goes on as it is. One worker's thread;
// nothing is allocated after construction.
//
// Cutting the super-packet again gives the same packets byte for byte (but for what GRO may change:
// IPv4 identifications of packets with DF set, RFC 6864 4.1). Packets of one flow never change
// their order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "io/packet.h"
#include "io/packet_io.h"

namespace culvert {

/// What one round writes to TUN: single packets and super-packets, in the order in which the first
/// packet of each arrived.
struct GroOutput {
  io::TunPacket packet;
  std::uint32_t tunnel = 0;   ///< index, as given to add()
  std::uint32_t packets = 0;  ///< how many it stands for
  std::uint32_t bytes = 0;    ///< of these packets together, headers of each counted
};

class Gro {
 public:
  /// Room for `capacity_packets` packets a round. `joins_udp`: the device takes UDP super-packets
  /// (USO).
  Gro(std::size_t capacity_packets, bool joins_udp);
  ~Gro();
  Gro(Gro&&) noexcept;
  Gro& operator=(Gro&&) noexcept;

  /// Takes an inner packet for this round; its bytes stay where they are until clear(), and the
  /// headers of the first packet of a super-packet are changed in place. `packets`: how many it
  /// stands for (a super-packet passes as it is). `may_coalesce`: false for what must go on alone;
  /// the order of its flow is kept all the same. Calls at most capacity_packets times a round.
  ///
  /// Joined: TCP and UDP over IPv6 without extension headers and IPv4 without options, not
  /// fragments; same tunnel, addresses, ports, traffic class or TOS, flow label, hop limit or TTL,
  /// DF; TCP: same acknowledgment, flags only ACK and PSH (PSH ends it), contiguous sequence,
  /// options byte for byte the same, payload not empty and not larger than the first's (a smaller
  /// one ends it); UDP: equal size (a smaller one ends it), with a checksum; each packet's
  /// transport checksum verified (unless its offload says the kernel did); never above 65,535 bytes
  /// or io::kMaxSlices slices.
  void add(io::Packet& packet, std::uint32_t tunnel, std::uint32_t packets,
           bool may_coalesce) noexcept;

  /// Finishes the headers of the super-packets. Valid until clear().
  [[nodiscard]] std::span<const GroOutput> finish() noexcept;
  void clear() noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace culvert
