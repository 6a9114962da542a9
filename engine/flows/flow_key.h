// FlowKey: identifies the flow of an inner packet in the flow table. Both directions of a flow have
// the same key: instead of source and destination it has a far endpoint (behind the tunnel) and a
// near endpoint (our side). Pure functions over untrusted bytes; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "engine/drop_reason.h"
#include "engine/model/packet_meta.h"
#include "proto/address.h"

namespace culvert {

/// The key of a flow. IPv4 addresses are stored as IPv4-mapped IPv6 addresses (RFC 4291 2.5.5.2),
/// which no IPv6 packet from a tunnel can have as its source (RFC 4213 3.6).
struct FlowKey {
  proto::Ipv6Address far, near;
  /// Host byte order. The meaning depends on `protocol`:
  ///  - TCP, UDP, UDP-Lite, SCTP, DCCP: far port (high half), near port (low half)
  ///  - ICMP and ICMPv6: kEchoWord and the identifier; 0 for messages without an identifier
  ///  - kFlowFragments: the IPv6 identification (RFC 8200 4.5); or IPv4 protocol (high half) and
  ///    identification (RFC 791 3.2: the key of the reassembly buffer)
  ///  - all others: 0, so that a pair of addresses is one flow
  std::uint32_t word = 0;
  std::uint8_t protocol = 0;

  [[nodiscard]] bool is_ipv4() const noexcept;
  /// The address as text, IPv4 in dotted decimal.
  [[nodiscard]] std::string far_text() const;
  [[nodiscard]] std::string near_text() const;
  /// 0 if the protocol has no ports.
  [[nodiscard]] std::uint16_t far_port() const noexcept;
  [[nodiscard]] std::uint16_t near_port() const noexcept;
  /// The key of a packet with the same source and destination in the other direction: the far side
  /// is the near one there.
  [[nodiscard]] FlowKey mirrored() const noexcept;
  /// The identifier of an echo, or the identification of fragments.
  [[nodiscard]] std::optional<std::uint32_t> identifier() const noexcept;

  friend bool operator==(const FlowKey&, const FlowKey&) = default;
};

inline constexpr std::uint32_t kEchoWord = 0x1'0000;
/// FlowKey::protocol for the fragments of one packet: the number of IPv6's Fragment header, which
/// is never an upper-layer protocol.
inline constexpr std::uint8_t kFlowFragments = 44;

/// The role of a packet in its flow.
enum class FlowRole : std::uint8_t {
  none,  ///< the packet has no flow that can be pinned
  /// A packet of the flow. A later fragment belongs to the flow of the packet's fragments.
  packet,
  first_fragment,  ///< A packet of the flow; fragments() is the flow of the fragments that follow.
  /// An ICMP error that quotes a packet of the flow. It neither creates nor refreshes the flow.
  error,
};

/// A packet as its flow sees it. One cache line.
struct FlowPacket {
  FlowKey key;
  FlowRole role = FlowRole::none;
  std::uint8_t tcp_flags = 0;
  /// FlowKey::word of fragments(); only with role first_fragment
  std::uint32_t fragments_word = 0;
  std::uint32_t packet_count = 1;  ///< packets that it stands for
  /// Of `key`, for look-ups: FlowTable::hash(). flow_of() does not set it.
  std::uint64_t hash = 0;

  /// The flow of the fragments that follow a first fragment.
  [[nodiscard]] FlowKey fragments() const noexcept {
    return {key.far, key.near, fragments_word, kFlowFragments};
  }
};
static_assert(sizeof(FlowPacket) <= 64);

/// Returns the flow of a packet that was read from TUN (outbound: its destination is far) or
/// received from a tunnel (inbound: its source is far). `meta`: as classified from `bytes`. An ICMP
/// or ICMPv6 error has the flow of the packet that it quotes, in the opposite direction: an outbound
/// error about an inbound packet has the flow of that packet.
///
/// The role is none if there is no IP header; if an address is multicast, link-local, unspecified
/// or IPv4 broadcast; if the packet ends before its ports or identifier; if an error quotes an
/// error, or too little.
[[nodiscard]] FlowPacket flow_of(const PacketMeta& meta, std::span<const std::byte> bytes,
                                 Direction direction) noexcept;

}  // namespace culvert
