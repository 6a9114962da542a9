// Generic receive offload (GRO): joins packets of one flow into one super-packet (defined in
// gso.h), within one round. It does what the kernel's GRO does for TCP, and the reverse of USO for
// UDP. No packet waits for another round. One worker's thread; no allocation after construction.
//
// Segmenting the super-packet again gives the same packets byte for byte, except for the changes
// that GRO may make (IPv4 identifications of packets with DF set, RFC 6864 4.1). Packets of one
// flow never change their order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "engine/model/packet_meta.h"
#include "io/packet.h"
#include "io/packet_io.h"

namespace culvert {

/// One item that a round writes to TUN: a packet or a super-packet. Items are in the order in which
/// the first packet of each was received.
struct GroOutput {
  io::TunPacket packet;
  std::uint32_t tunnel = 0;   ///< index, as given to add()
  std::uint32_t packets = 0;  ///< number of packets that the item stands for
  std::uint32_t bytes = 0;    ///< bytes of these packets, each with its headers
};

class Gro {
 public:
  /// `capacity_packets`: calls of add() per round. `joins_udp`: the TUN device accepts UDP
  /// super-packets (USO).
  Gro(std::size_t capacity_packets, bool joins_udp);
  ~Gro();
  Gro(Gro&&) noexcept;
  Gro& operator=(Gro&&) noexcept;

  /// Adds an inner packet or frame, which `meta` describes, to this round. Its bytes must stay in
  /// place until clear(); the headers of a super-packet's first packet are changed in place.
  /// `packets`: the number of packets it stands for (a received super-packet is passed on
  /// unchanged). `may_coalesce`: false if the packet must stay alone; the order of its flow is kept
  /// all the same. At most capacity_packets calls per round.
  ///
  /// Packets are joined if all of this holds:
  ///  - TCP or UDP over IPv6 without extension headers or IPv4 without options; no fragments;
  ///  - same tunnel, link-layer header, addresses, ports, traffic class or TOS, flow label, hop
  ///    limit or TTL, and DF;
  ///  - TCP: same acknowledgment, no flags except ACK and PSH (PSH ends the super-packet),
  ///    contiguous sequence numbers, options equal byte for byte, payload not empty and not larger
  ///    than the first packet's (a smaller one ends the super-packet);
  ///  - UDP: equal size (a smaller datagram ends the super-packet), with a checksum;
  ///  - the transport checksum of each packet is valid (verified here unless its offload says that
  ///    the kernel has done so);
  ///  - the result has at most 65,535 bytes from the IP header on, and io::kMaxSlices slices.
  void add(io::Packet& packet, const PacketMeta& meta, std::uint32_t tunnel, std::uint32_t packets,
           bool may_coalesce) noexcept;

  /// Completes the headers of the super-packets and returns all items of the round. Valid until
  /// clear().
  [[nodiscard]] std::span<const GroOutput> finish() noexcept;
  void clear() noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace culvert
