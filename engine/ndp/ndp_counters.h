// What an NDP proxy counts: each solicitation is answered, waits for a probe, or is ignored for one
// reason. One thread writes, any reads.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "engine/counters.h"
#include "proto/parsed.h"

namespace culvert {

/// Why a message is not answered. The names are printed; engine/README.md shows where on a
/// solicitation's way each is met.
enum class NdpIgnored : std::uint8_t {
  none,
  // what breaks a rule of RFC 4861 7.1.1 or 7.1.2, or RFC 6980
  truncated,
  header_malformed,
  fragmented,
  not_neighbor_discovery,
  hop_limit_not_255,
  code_not_zero,
  target_multicast,
  option_malformed,
  destination_not_solicited_node,
  unspecified_source_with_address,
  solicited_flag_on_multicast,
  checksum_bad,
  // what is not ours to answer
  interface_unready,
  source_multicast,
  no_rule,
  excepted,
  own_address,
  source_is_target,
  on_link,
  no_tunnel,
  tunnel_down,
  // what is not answered now
  rate_limited,
  source_rate_limited,
  probe_waiting,
  probe_unanswered,
  probe_known_dead,
  probe_rate_limited,
  probe_table_full,
  // what the kernel did not take
  delay_queue_full,
  send_failed,
  count_,  ///< not a reason: how many there are
};
inline constexpr std::size_t kNdpIgnoredCount = static_cast<std::size_t>(NdpIgnored::count_);

struct NdpIgnoredFacts {
  NdpIgnored reason;
  std::string_view name;     ///< as in the enum
  std::string_view meaning;  ///< one line for `show` and the documentation
};
/// Indexed by NdpIgnored.
extern const std::array<NdpIgnoredFacts, kNdpIgnoredCount> kNdpIgnored;

[[nodiscard]] inline const NdpIgnoredFacts& facts(NdpIgnored reason) noexcept {
  return kNdpIgnored[static_cast<std::size_t>(reason)];
}

/// Why a message that a parser refused is ignored.
[[nodiscard]] NdpIgnored ndp_ignored(proto::Malformed malformed) noexcept;

/// As plain numbers. Each message received is an advertisement taken note of, answered, waiting for
/// a probe's end (NdpStatus::waiting), or ignored: received = advertisements + answers + waiting +
/// the sum of `ignored`.
struct NdpTotals {
  std::uint64_t received = 0;           ///< solicitations and advertisements, good and bad
  std::uint64_t advertisements = 0;     ///< of others: a neighbor is on the link
  std::uint64_t answers = 0;            ///< advertisements sent in answer
  std::uint64_t duplicate_answers = 0;  ///< of these: to who was about to take the target (DAD)
  std::uint64_t announcements = 0;      ///< unsolicited advertisements sent
  std::uint64_t probes = 0;             ///< echo requests sent, repeated ones too
  std::uint64_t probes_answered = 0, probes_unanswered = 0;  ///< targets found alive; dead
  std::uint64_t receive_queue_full = 0;  ///< messages that the kernel dropped before us
  std::array<std::uint64_t, kNdpIgnoredCount> ignored{};
};

/// The same, as one thread counts it.
struct NdpCounters {
  Counter received, advertisements, answers, duplicate_answers, announcements;
  Counter probes, probes_answered, probes_unanswered, receive_queue_full;
  std::array<Counter, kNdpIgnoredCount> ignored;

  void ignore(NdpIgnored reason) noexcept { ignored[static_cast<std::size_t>(reason)].add(1); }
  [[nodiscard]] NdpTotals totals() const noexcept;
};

}  // namespace culvert
