// Connection tracking of a flow: its states, the transition that each packet makes, and the idle
// time after which the flow expires. Pure functions; any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>

#include "engine/drop_reason.h"
#include "engine/flows/flow_key.h"
#include "proto/ipv4.h"
#include "proto/tcp.h"

namespace culvert {

/// The state of a flow. `far` and `near` are the sides of FlowKey. `culvert show` prints the names.
enum class FlowState : std::uint8_t {
  none,         ///< no flow
  opening,      ///< packets in one direction only
  established,  ///< packets in both directions; TCP: the answer was not only a RST
  far_closed,   ///< TCP: a FIN from the far side
  near_closed,  ///< TCP: a FIN from the near side
  closing,      ///< TCP: FIN from both sides, or refused by RST
  reset,        ///< TCP: RST while established; the next packet without RST restores `established`
};

[[nodiscard]] constexpr std::string_view name_of(FlowState state) noexcept {
  constexpr std::string_view kNames[] = {"none",        "opening", "established", "far_closed",
                                         "near_closed", "closing", "reset"};
  return kNames[static_cast<std::size_t>(state)];
}

struct TrackedState {
  FlowState state = FlowState::none;
  Direction opened = Direction::inbound;  ///< direction of the first packet

  /// True: a full table does not evict this flow in favor of a new one, unless all flows of its
  /// groups are protected. Packets have gone in both directions, and neither FIN from both sides
  /// nor RST has ended the flow.
  [[nodiscard]] constexpr bool is_protected() const noexcept {
    return state == FlowState::established || state == FlowState::far_closed ||
           state == FlowState::near_closed;
  }
  friend constexpr bool operator==(const TrackedState&, const TrackedState&) = default;
};

namespace detail {

/// RFC 6146 3.5.2, without checking sequence numbers.
[[nodiscard]] constexpr TrackedState after_tcp(TrackedState tracked, Direction direction,
                                               std::uint8_t flags) noexcept {
  using enum FlowState;
  const bool is_syn = (flags & (proto::kTcpSyn | proto::kTcpAck)) == proto::kTcpSyn;
  const bool is_closed = tracked.state == closing || tracked.state == reset;
  if (is_closed && is_syn) return {opening, direction};  // the ports are reused
  if ((flags & proto::kTcpRst) != 0) {
    tracked.state = tracked.is_protected() || tracked.state == reset ? reset : closing;
    return tracked;
  }
  // 3.5.2.2, TRANS: the RST was not genuine
  if (tracked.state == reset) tracked.state = established;
  if (tracked.state == opening && direction != tracked.opened) tracked.state = established;
  if ((flags & proto::kTcpFin) == 0 || tracked.state == opening) return tracked;
  const bool is_far = direction == Direction::inbound;
  if (tracked.state == established) {
    tracked.state = is_far ? far_closed : near_closed;
  } else if (tracked.state == (is_far ? near_closed : far_closed)) {
    tracked.state = closing;
  }
  return tracked;
}

}  // namespace detail

/// Returns the state after one more packet in `direction`. `tracked.state` must not be none.
[[nodiscard]] constexpr TrackedState after(TrackedState tracked, Direction direction,
                                           std::uint8_t protocol, std::uint8_t tcp_flags) noexcept {
  if (protocol == proto::kProtocolTcp) return detail::after_tcp(tracked, direction, tcp_flags);
  if (tracked.state == FlowState::opening && direction != tracked.opened)
    tracked.state = FlowState::established;
  return tracked;
}

/// The flow expires when it has been idle for longer than this.
[[nodiscard]] constexpr std::chrono::seconds idle_limit(std::uint8_t protocol,
                                                        TrackedState tracked) noexcept {
  using std::chrono::minutes, std::chrono::seconds, std::chrono::hours;
  switch (protocol) {
    case proto::kProtocolTcp:  // RFC 5382 REQ-5, RFC 6146 4: 2 h 4 min, and 4 min
      return tracked.is_protected() ? hours{2} + minutes{4} : minutes{4};
    case proto::kProtocolIcmp:
    case proto::kProtocolIcmpv6:  // RFC 5508 REQ-2
      return seconds{60};
    case kFlowFragments:  // RFC 8200 4.5: reassembly time-out
      return seconds{60};
    default:  // UDP and all others: RFC 4787 REQ-5, once both sides have sent
      return tracked.is_protected() ? minutes{5} : seconds{30};
  }
}

}  // namespace culvert
