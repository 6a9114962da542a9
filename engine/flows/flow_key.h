// The flow that an inner packet belongs to: what the flow table is asked for. Both directions of a
// flow have one key, for it does not say source and destination but far (behind the tunnel) and
// near (our side). Pure functions over untrusted bytes; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "engine/drop_reason.h"
#include "engine/model/inner_packet.h"
#include "proto/address.h"

namespace culvert {

/// What names a flow. IPv4 addresses are IPv4-mapped ones (RFC 4291 2.5.5.2), which no IPv6 packet
/// from a tunnel has as its source (RFC 4213 3.6).
struct FlowKey {
  proto::Ipv6Address far, near;
  /// Host byte order, by `protocol`:
  ///  - TCP, UDP, UDP-Lite, SCTP, DCCP: far port, near port (high half, low half)
  ///  - ICMP and ICMPv6: kEchoWord and the identifier; messages without one: 0
  ///  - kFlowFragments: IPv6's identification (RFC 8200 4.5); or IPv4's protocol (high half) and
  ///    identification (RFC 791 3.2: the buffer's name)
  ///  - all others: 0, so that their flows are pairs of addresses
  std::uint32_t word = 0;
  std::uint8_t protocol = 0;

  [[nodiscard]] bool is_ipv4() const noexcept;
  /// Dotted quads for IPv4.
  [[nodiscard]] std::string far_text() const;
  [[nodiscard]] std::string near_text() const;
  /// 0 where the flow has no ports.
  [[nodiscard]] std::uint16_t far_port() const noexcept;
  [[nodiscard]] std::uint16_t near_port() const noexcept;
  /// Of an echo or of fragments.
  [[nodiscard]] std::optional<std::uint32_t> identifier() const noexcept;

  friend bool operator==(const FlowKey&, const FlowKey&) = default;
};

inline constexpr std::uint32_t kEchoWord = 0x1'0000;
/// FlowKey::protocol of the fragments of one packet: the number of IPv6's Fragment header, which is
/// no upper-layer protocol.
inline constexpr std::uint8_t kFlowFragments = 44;
inline constexpr std::uint8_t kProtocolDccp = 33, kProtocolSctp = 132, kProtocolUdpLite = 136;

/// What a packet is to its flow.
enum class FlowRole : std::uint8_t {
  none,            ///< it has none that could be pinned
  packet,          ///< one of its packets; of a fragment that is not the first the flow is that of
                   ///< the fragments
  first_fragment,  ///< one of its packets, and those that come behind are known by fragments()
  error,           ///< an ICMP error that quotes one of its packets: neither makes nor keeps a flow
};

struct FlowPacket {
  FlowKey key;
  FlowRole role = FlowRole::none;
  std::uint8_t tcp_flags = 0;
  std::uint32_t fragments_word = 0;  ///< of a first fragment

  /// The flow of the fragments behind a first fragment.
  [[nodiscard]] FlowKey fragments() const noexcept {
    return {key.far, key.near, fragments_word, kFlowFragments};
  }
};

/// The flow of a packet that came from TUN (outbound: its destination is far) or from a tunnel
/// (inbound: its source is). `inner`: as parsed from `bytes`, from its IP header on. ICMP and
/// ICMPv6 errors have the flow of the packet that they quote, whose direction is the opposite one:
/// an outbound error about a packet that came in finds that packet's flow.
/// None: from or to a multicast, link-local or unspecified address, or IPv4 broadcast; ended
/// before its ports or identifier; an error that quotes an error, or too little.
[[nodiscard]] FlowPacket flow_of(const InnerPacket& inner, std::span<const std::byte> bytes,
                                 Direction direction) noexcept;

}  // namespace culvert
