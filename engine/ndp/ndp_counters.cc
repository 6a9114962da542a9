#include "engine/ndp/ndp_counters.h"

namespace culvert {

using enum NdpIgnored;

const std::array<NdpIgnoredFacts, kNdpIgnoredCount> kNdpIgnored{{
    {none, "none", "answered"},

    {truncated, "truncated", "the message ends before its headers do, or is longer than a buffer"},
    {header_malformed, "header_malformed", "not a valid IPv6 packet"},
    {fragmented, "fragmented", "has a Fragment header (RFC 6980 5)"},
    {not_neighbor_discovery, "not_neighbor_discovery",
     "neither a neighbor solicitation nor an advertisement"},
    {misplaced_hop_by_hop, "misplaced_hop_by_hop",
     "a Hop-by-Hop Options header that is not the first (RFC 8200 4.1)"},
    {unknown_extension_option, "unknown_extension_option",
     "an option of an extension header with which the packet must be discarded (RFC 8200 4.2)"},
    {hop_limit_not_255, "hop_limit_not_255",
     "the hop limit is not 255: a router may have forwarded it (RFC 4861 7.1.1)"},
    {code_not_zero, "code_not_zero", "the ICMPv6 code is not 0 (RFC 4861 7.1.1)"},
    {target_multicast, "target_multicast", "the target is a multicast address (RFC 4861 7.1.1)"},
    {option_malformed, "option_malformed",
     "an option has length 0 or exceeds the message (RFC 4861 7.1.1)"},
    {destination_not_solicited_node, "destination_not_solicited_node",
     "source ::, and not sent to a solicited-node group (RFC 4861 7.1.1)"},
    {unspecified_source_with_address, "unspecified_source_with_address",
     "source ::, and a source link-layer address option (RFC 4861 7.1.1)"},
    {solicited_flag_on_multicast, "solicited_flag_on_multicast",
     "a multicast advertisement with the S flag (RFC 4861 7.1.2)"},
    {checksum_bad, "checksum_bad", "the ICMPv6 checksum is wrong (RFC 4861 7.1.1)"},

    {interface_unready, "interface_unready",
     "the interface has no address yet from which answers go (`source`)"},
    {ethernet_source_group, "ethernet_source_group",
     "the Ethernet source is a group address, to which no answer may go"},
    {source_multicast, "source_multicast", "the source is a multicast address"},
    {source_loopback, "source_loopback", "the source is ::1 (RFC 4291 2.5.3)"},
    {target_not_forwarded, "target_not_forwarded",
     "no router forwards to the target: link-local, ::1, :: or an embedded IPv4 address"},
    {no_rule, "no_rule", "no rule's prefix contains the target"},
    {excepted, "excepted", "an `except` prefix contains the target"},
    {own_address, "own_address",
     "the target is the interface's own address, or its subnet-router anycast address: the kernel "
     "answers"},
    {source_is_target, "source_is_target", "the source solicits its own address"},
    {gateway, "gateway", "the target is a router on this link by which this host sends"},
    {on_link_prefix, "on_link_prefix",
     "duplicate address detection in the prefix of this link, and the rule is shorter than that"},
    {on_link, "on_link", "the target lives on this link: it has answered a solicitation of ours"},
    {route_on_link, "route_on_link", "the kernel's route to the target leads back to this link"},
    {no_route, "no_route", "the kernel has no route to the target but a default route"},
    {no_tunnel, "no_tunnel", "rule `auto`: no tunnel's prefix contains the target"},
    {tunnel_down, "tunnel_down", "rule `auto`: the target's tunnel is down"},

    {rate_limited, "rate_limited",
     "above `answers_per_second`, or above 20,000 look-ups of routes a second"},
    {source_rate_limited, "source_rate_limited", "above `answers_per_second_per_source`"},
    {probe_waiting, "probe_waiting",
     "the same solicitor, or the maximum of other solicitors, already waits for the target's "
     "probe"},
    {probe_unanswered, "probe_unanswered", "the target did not answer its probe"},
    {probe_known_dead, "probe_known_dead", "the target did not answer a recent probe"},
    {probe_rate_limited, "probe_rate_limited", "above `probe.per_second`"},
    {probe_table_full, "probe_table_full",
     "`probe.cache` is full of targets that are alive or being probed"},
    {probe_interface_missing, "probe_interface_missing",
     "no `interface` of the rule is there, so nobody can be probed"},

    {delay_queue_full, "delay_queue_full", "too many answers wait for their random `delay`"},
    {send_failed, "send_failed", "the kernel refused to send the answer: is the interface up?"},
}};

NdpIgnored ndp_ignored(proto::Malformed malformed) noexcept {
  switch (malformed) {
    case proto::Malformed::truncated:
      return truncated;
    case proto::Malformed::fragmented:
      return fragmented;
    case proto::Malformed::not_neighbor_discovery:
      return not_neighbor_discovery;
    case proto::Malformed::misplaced_hop_by_hop:
      return misplaced_hop_by_hop;
    case proto::Malformed::unknown_extension_option:
      return unknown_extension_option;
    case proto::Malformed::bad_hop_limit:
      return hop_limit_not_255;
    case proto::Malformed::bad_code:
      return code_not_zero;
    case proto::Malformed::bad_option:
      return option_malformed;
    case proto::Malformed::multicast_target:
      return target_multicast;
    case proto::Malformed::destination_not_solicited_node:
      return destination_not_solicited_node;
    case proto::Malformed::unspecified_source_with_address:
      return unspecified_source_with_address;
    case proto::Malformed::solicited_flag_on_multicast:
      return solicited_flag_on_multicast;
    case proto::Malformed::bad_checksum:
      return checksum_bad;
    default:
      return header_malformed;
  }
}

NdpTotals NdpCounters::totals() const noexcept {
  NdpTotals totals{.received = received.value(),
                   .advertisements = advertisements.value(),
                   .answers = answers.value(),
                   .duplicate_answers = duplicate_answers.value(),
                   .announcements = announcements.value(),
                   .questions = questions.value(),
                   .probes = probes.value(),
                   .probes_answered = probes_answered.value(),
                   .probes_unanswered = probes_unanswered.value(),
                   .routes_added = routes_added.value(),
                   .routes_removed = routes_removed.value(),
                   .routes_refused = routes_refused.value(),
                   .receive_queue_full = receive_queue_full.value()};
  for (std::size_t i = 0; i < kNdpIgnoredCount; ++i) totals.ignored[i] = ignored[i].value();
  return totals;
}

}  // namespace culvert
