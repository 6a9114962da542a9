// Verdict: the decision about one packet. DropReason: the one reason why a packet is not forwarded.
// Each reason belongs to one direction, so for each direction received = forwarded + dropped +
// held. Plain values; any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "proto/parsed.h"

namespace culvert {

/// The three kinds of packets that are counted separately.
enum class Direction : std::uint8_t {
  outbound,  ///< TUN to tunnel
  inbound,   ///< tunnel to TUN
  errors,    ///< ICMPv4 errors about outer packets, relayed to inner sources
};

/// Why a packet is not forwarded. `culvert show` prints the names. kDropReasons has the direction
/// and a printed meaning of each; engine/README.md lists the stage at which each occurs.
enum class DropReason : std::uint8_t {
  none,
  // outbound
  tun_packet_truncated,
  tun_packet_malformed,
  tun_offload_malformed,
  payload_unsupported,
  no_tunnel_for_destination,
  outbound_tunnel_down,
  remote_unknown,
  routing_loop,
  loops_back,
  packet_too_big,
  local_address_unknown,
  send_queue_full,
  send_no_route,
  send_refused,
  send_too_big,
  send_failed,
  // inbound
  tunnel_packet_truncated,
  tunnel_offload_malformed,
  outer_header_malformed,
  outer_checksum_bad,
  outer_fragment,
  outer_protocol_unknown,
  tunnel_unknown,
  inbound_tunnel_down,
  outer_source_forbidden,
  tunnel_header_truncated,
  tunnel_version_unknown,
  tunnel_reserved_bits_set,
  tunnel_checksum_bad,
  tunnel_checksum_missing,
  tunnel_protocol_type_unknown,
  sequence_missing,
  sequence_old,
  inner_header_malformed,
  inner_checksum_bad,
  inner_source_forbidden,
  inner_source_not_accepted,
  inner_destination_is_encapsulator,
  inner_ttl_zero,
  ecn_ce_on_not_ect,
  gro_segment_size_unknown,
  tun_queue_full,
  tun_write_failed,
  // errors
  icmp_error_malformed,
  icmp_error_not_ours,
  icmp_error_implausible,
  icmp_error_quotes_too_little,
  icmp_error_not_answerable,
  icmp_error_rate_limited,
  icmp_error_not_relayed,
  icmp_error_write_failed,
  count_,  ///< not a reason: the number of reasons
};
inline constexpr std::size_t kDropReasonCount = static_cast<std::size_t>(DropReason::count_);

struct DropReasonFacts {
  DropReason reason;
  Direction direction;
  std::string_view name;     ///< as in the enum
  std::string_view meaning;  ///< one line, printed by `culvert show`
};
/// Indexed by DropReason.
extern const std::array<DropReasonFacts, kDropReasonCount> kDropReasons;

[[nodiscard]] inline const DropReasonFacts& facts(DropReason reason) noexcept {
  return kDropReasons[static_cast<std::size_t>(reason)];
}

/// The header of an inbound packet that a parser rejected.
enum class Stage : std::uint8_t { outer_header, tunnel_header, inner_header };
[[nodiscard]] DropReason drop_reason(Stage stage, proto::Malformed malformed) noexcept;

struct Tunnel;

/// The decision about one packet or super-packet.
struct Verdict {
  enum class Action : std::uint8_t {
    /// Drop it for `reason`; if `too_big_mtu` is set, an ICMP error reports that MTU to its sender.
    drop,
    to_tunnel,  ///< outbound: its outer datagrams are in the batch
    to_tun,     ///< inbound: the packet is now the inner packet, to be written to TUN
  };
  Action action = Action::drop;
  DropReason reason = DropReason::none;
  std::uint16_t too_big_mtu = 0;    ///< tunnel MTU in bytes; only with packet_too_big
  bool ecn_is_anomalous = false;    ///< RFC 6040 4.2: forwarded, but counted
  bool sequence_restarted = false;  ///< RFC 2890 2.2: the remote endpoint has started anew
  const Tunnel* tunnel = nullptr;   ///< the tunnel that counts the packet; null: the device does
};

/// The verdict for a packet that is not forwarded.
[[nodiscard]] inline Verdict drop(DropReason reason, const Tunnel* tunnel = nullptr) noexcept {
  return {.reason = reason, .tunnel = tunnel};
}

}  // namespace culvert
