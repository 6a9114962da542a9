// The tracked of a flow: its states, what a packet makes of them, and after how long without a packet
// it is over. Pure functions; any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>

#include "engine/drop_reason.h"
#include "engine/flows/flow_key.h"
#include "proto/ipv4.h"
#include "proto/tcp.h"

namespace culvert {

/// `far` and `near` are the sides as in FlowKey. The names are printed.
enum class FlowState : std::uint8_t {
  none,         ///< no flow
  opening,      ///< packets one way only
  established,  ///< packets both ways; of TCP: the answer was no mere RST
  far_closed,   ///< TCP: a FIN from the far side
  near_closed,  ///< TCP: a FIN from the near side
  closing,      ///< TCP: FIN from both sides, or refused by RST
  reset,        ///< TCP: RST while it was established; the next packet without one undoes it
};

[[nodiscard]] constexpr std::string_view name_of(FlowState state) noexcept {
  constexpr std::string_view kNames[] = {"none",        "opening", "established", "far_closed",
                                         "near_closed", "closing", "reset"};
  return kNames[static_cast<std::size_t>(state)];
}

struct TrackedState {
  FlowState state = FlowState::none;
  Direction opened = Direction::inbound;  ///< the direction of the first packet

  /// What a full table does not give away for a new flow: packets have gone both ways, and neither
  /// FIN nor RST has ended it.
  [[nodiscard]] constexpr bool is_protected() const noexcept {
    return state == FlowState::established || state == FlowState::far_closed ||
           state == FlowState::near_closed;
  }
  friend constexpr bool operator==(const TrackedState&, const TrackedState&) = default;
};

namespace detail {

/// RFC 6146 3.5.2, without looking at sequence numbers.
[[nodiscard]] constexpr TrackedState after_tcp(TrackedState tracked, Direction direction,
                                               std::uint8_t flags) noexcept {
  using enum FlowState;
  const bool is_syn = (flags & (proto::kTcpSyn | proto::kTcpAck)) == proto::kTcpSyn;
  const bool is_closed = tracked.state == closing || tracked.state == reset;
  if (is_closed && is_syn) return {opening, direction};  // the ports are used again
  if ((flags & proto::kTcpRst) != 0) {
    tracked.state = tracked.is_protected() || tracked.state == reset ? reset : closing;
    return tracked;
  }
  if (tracked.state == reset) tracked.state = established;  // 3.5.2.2, TRANS: it was not a real one
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

/// The tracked after one more packet of `direction`; `life.state` is not none.
[[nodiscard]] constexpr TrackedState after(TrackedState tracked, Direction direction,
                                           std::uint8_t protocol, std::uint8_t tcp_flags) noexcept {
  if (protocol == proto::kProtocolTcp) return detail::after_tcp(tracked, direction, tcp_flags);
  if (tracked.state == FlowState::opening && direction != tracked.opened)
    tracked.state = FlowState::established;
  return tracked;
}

/// A flow is over when it has been idle for longer than this.
[[nodiscard]] constexpr std::chrono::seconds idle_limit(std::uint8_t protocol,
                                                        TrackedState tracked) noexcept {
  using std::chrono::minutes, std::chrono::seconds, std::chrono::hours;
  switch (protocol) {
    case proto::kProtocolTcp:  // RFC 5382 REQ-5, RFC 6146 4: 2 h 4 min, and 4 min
      return tracked.is_protected() ? hours{2} + minutes{4} : minutes{4};
    case proto::kProtocolIcmp:
    case proto::kProtocolIcmpv6:  // RFC 5508 REQ-2
      return seconds{60};
    case kFlowFragments:  // RFC 8200 4.5: so long they wait for each other
      return seconds{60};
    default:  // UDP and all others: RFC 4787 REQ-5 once both sides have sent
      return tracked.is_protected() ? minutes{5} : seconds{30};
  }
}

}  // namespace culvert
