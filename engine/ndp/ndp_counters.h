// Counters of an NDP proxy. Each solicitation is answered, waits for a probe, or is ignored for
// exactly one reason. One thread writes; any thread reads.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "engine/counters.h"
#include "proto/parsed.h"

namespace culvert {

/// Why a message is not answered. `culvert show` prints the names; engine/README.md lists the stage
/// at which each occurs.
enum class NdpIgnored : std::uint8_t {
  none,
  // the message breaks a rule of RFC 4861 7.1.1 or 7.1.2, or RFC 6980
  truncated,
  header_malformed,
  fragmented,
  not_neighbor_discovery,
  misplaced_hop_by_hop,
  unknown_extension_option,
  hop_limit_not_255,
  code_not_zero,
  target_multicast,
  option_malformed,
  destination_not_solicited_node,
  unspecified_source_with_address,
  solicited_flag_on_multicast,
  checksum_bad,
  // we must not answer
  interface_unready,
  ethernet_source_group,
  source_multicast,
  source_loopback,
  target_not_forwarded,
  no_rule,
  excepted,
  own_address,
  source_is_target,
  gateway,
  on_link_prefix,
  on_link,
  route_on_link,
  no_route,
  no_tunnel,
  tunnel_down,
  // we do not answer now
  rate_limited,
  source_rate_limited,
  probe_waiting,
  probe_unanswered,
  probe_known_dead,
  probe_rate_limited,
  probe_table_full,
  probe_interface_missing,
  // the answer could not be sent
  delay_queue_full,
  send_failed,
  count_,  ///< not a reason: the number of reasons
};
inline constexpr std::size_t kNdpIgnoredCount = static_cast<std::size_t>(NdpIgnored::count_);

struct NdpIgnoredFacts {
  NdpIgnored reason;
  std::string_view name;     ///< as in the enum
  std::string_view meaning;  ///< one line, printed by `culvert show`
};
/// Indexed by NdpIgnored.
extern const std::array<NdpIgnoredFacts, kNdpIgnoredCount> kNdpIgnored;

[[nodiscard]] inline const NdpIgnoredFacts& facts(NdpIgnored reason) noexcept {
  return kNdpIgnored[static_cast<std::size_t>(reason)];
}

/// The reason for a message that the parser rejected.
[[nodiscard]] NdpIgnored ndp_ignored(proto::Malformed malformed) noexcept;

/// The counters as plain numbers. Each message received is counted as an advertisement, answered,
/// waiting for a probe (NdpStatus::waiting), or ignored: received = advertisements + answers +
/// waiting + the sum of `ignored`.
struct NdpTotals {
  std::uint64_t received = 0;           ///< solicitations and advertisements, valid and invalid
  std::uint64_t advertisements = 0;     ///< advertisements received from other nodes
  std::uint64_t answers = 0;            ///< advertisements sent as answers
  std::uint64_t duplicate_answers = 0;  ///< those of them that answer duplicate address detection
  std::uint64_t announcements = 0;      ///< targets announced (NdpConfig::announce)
  std::uint64_t questions = 0;          ///< solicitations sent, to confirm neighbors on the link
  std::uint64_t probes = 0;             ///< tries sent, retries included
  std::uint64_t probes_answered = 0, probes_unanswered = 0;  ///< targets found alive; dead
  /// Host routes of rules with `wire`; refused: by the kernel, or above kMaxNdpWired.
  std::uint64_t routes_added = 0, routes_removed = 0, routes_refused = 0;
  /// Messages that the kernel dropped before we could receive them.
  std::uint64_t receive_queue_full = 0;
  std::array<std::uint64_t, kNdpIgnoredCount> ignored{};
};

/// The counters themselves, written by one thread.
struct NdpCounters {
  Counter received, advertisements, answers, duplicate_answers, announcements, questions;
  Counter probes, probes_answered, probes_unanswered, receive_queue_full;
  Counter routes_added, routes_removed, routes_refused;
  std::array<Counter, kNdpIgnoredCount> ignored;

  void ignore(NdpIgnored reason) noexcept { ignored[static_cast<std::size_t>(reason)].add(1); }
  [[nodiscard]] NdpTotals totals() const noexcept;
};

}  // namespace culvert
