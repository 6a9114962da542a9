#include "engine/ndp/ndp_responder.h"

#include <algorithm>

namespace culvert {

using proto::Ipv6Address;

NdpResponder::NdpResponder(const NdpConfig& config, std::uint64_t seed)
    : neighbors_(config.on_link, config.on_link_ttl, seed),
      probes_(config.probe, seed),
      is_router_(config.router),
      rate_(config.answers_per_second, config.answers_per_second),
      source_rate_(config.answers_per_second_per_source, config.answers_per_second_per_source),
      source_buckets_(kSourceBuckets),
      seed_(seed) {}

void NdpResponder::apply(const NdpConfig& config) noexcept {
  neighbors_.set_ttl(config.on_link_ttl);
  probes_.apply(config.probe);
  is_router_ = config.router;
  rate_ = {config.answers_per_second, config.answers_per_second};
  source_rate_ = {config.answers_per_second_per_source, config.answers_per_second_per_source};
}

void NdpResponder::set_interface(NdpInterface& interface) noexcept {
  std::swap(interface_, interface);
  if (interface_.index != interface.index) neighbors_.forget_learned();
}

void NdpResponder::receive(std::span<const std::byte> frame, Time now, NdpOutput& out) noexcept {
  counters_.received.add(1);
  if (frame.size() < proto::kEthernetHeaderBytes) return counters_.ignore(NdpIgnored::truncated);
  const auto message = proto::parse_neighbor_message(frame.subspan(proto::kEthernetHeaderBytes));
  if (!message) return counters_.ignore(ndp_ignored(message.error()));
  const auto sender = proto::load<proto::EthernetAddress>(frame, proto::kEthernetSourceOffset);
  if (message->type == proto::NeighborMessageType::advertisement)
    return receive_advertisement(*message, sender, now);
  receive_solicitation(*message, sender, now, out);
}

// The target of an advertisement lives on the link. An advertisement with our own link-layer
// address is an echo of ours.
void NdpResponder::receive_advertisement(const proto::NeighborMessage& message,
                                         const proto::EthernetAddress& sender, Time now) noexcept {
  counters_.advertisements.add(1);
  if (sender == interface_.address) return;
  if (message.has_address && message.address == interface_.address) return;
  note_on_link(message.target, now);
}

void NdpResponder::receive_solicitation(const proto::NeighborMessage& message,
                                        const proto::EthernetAddress& sender, Time now,
                                        NdpOutput& out) noexcept {
  const Ipv6Address& target = message.target;
  if (const auto reason = check_solicitor(message); reason != NdpIgnored::none)
    return counters_.ignore(reason);
  if (sender != interface_.address) note_on_link(message.source, now);
  const auto decision = rules_.decide(target);
  const bool is_unclaimed =
      decision.ignored == NdpIgnored::no_tunnel || decision.ignored == NdpIgnored::tunnel_down;
  // Duplicate address detection: a host on the link is about to use an address behind no tunnel, so
  // it owns the address from now on.
  if (is_unclaimed && message.source.is_unspecified()) note_on_link(target, now);
  if (decision.ignored != NdpIgnored::none) return counters_.ignore(decision.ignored);
  if (neighbors_.has(target, now)) return counters_.ignore(NdpIgnored::on_link);
  // A multicast address in the option cannot be the destination of an answer.
  const bool is_usable = message.has_address && (message.address.bytes[0] & 1) == 0;
  const NdpSolicitor solicitor{.source = message.source,
                               .address = is_usable ? message.address : sender,
                               .was_multicast = message.destination.is_multicast(),
                               .solicited_at = now};
  if (decision.needs_probe) return answer_if_alive(target, solicitor, now, out);
  answer(target, solicitor, now, out);
}

NdpIgnored NdpResponder::check_solicitor(const proto::NeighborMessage& message) const noexcept {
  if (interface_.link_local.is_unspecified()) return NdpIgnored::interface_unready;
  if (message.source.is_multicast()) return NdpIgnored::source_multicast;
  if (is_own(message.target)) return NdpIgnored::own_address;
  if (message.source == message.target) return NdpIgnored::source_is_target;
  return NdpIgnored::none;
}

void NdpResponder::answer_if_alive(const Ipv6Address& target, const NdpSolicitor& solicitor,
                                   Time now, NdpOutput& out) noexcept {
  const auto verdict = probes_.check(target, solicitor, now);
  if (verdict.send_probe) out.add_probe(target);
  if (verdict.is_alive) return answer(target, solicitor, now, out);
  if (verdict.ignored != NdpIgnored::none) counters_.ignore(verdict.ignored);
}

void NdpResponder::receive_echo(const Ipv6Address& target, unsigned interface_index, Time now,
                                NdpOutput& out) noexcept {
  // The kernel's route leads to the soliciting link: the target lives there and answers for itself.
  const bool is_on_link = interface_index == interface_.index;
  if (is_on_link) note_on_link(target, now);
  const auto outcome = probes_.settle(target, !is_on_link, now);
  if (!outcome.was_probing) return;
  (is_on_link ? counters_.probes_unanswered : counters_.probes_answered).add(1);
  finish_probe(outcome, is_on_link ? NdpIgnored::on_link : NdpIgnored::none, now, out);
}

bool NdpResponder::expire(Time now, NdpOutput& out) noexcept {
  while (out.has_room()) {
    const auto overdue = probes_.overdue(now);
    if (!overdue.is_any) return false;
    if (overdue.send_probe) {
      out.add_probe(overdue.outcome.target);
      continue;
    }
    counters_.probes_unanswered.add(1);
    finish_probe(overdue.outcome, NdpIgnored::probe_unanswered, now, out);
  }
  return true;
}

// Answers the solicitors that waited for a probe, or ignores them for `reason`.
void NdpResponder::finish_probe(const NdpProbes::Outcome& outcome, NdpIgnored reason, Time now,
                                NdpOutput& out) noexcept {
  for (const NdpSolicitor& solicitor : outcome.solicitors) {
    const bool is_late = now - solicitor.solicited_at > NdpProbes::kSolicitorTimeout;
    if (reason == NdpIgnored::none && !is_late) {
      answer(outcome.target, solicitor, now, out);
      continue;
    }
    counters_.ignore(reason == NdpIgnored::none ? NdpIgnored::probe_unanswered : reason);
    // No host behind us uses the address, so the host that performed duplicate address detection
    // owns it now.
    if (solicitor.source.is_unspecified()) note_on_link(outcome.target, now);
  }
}

void NdpResponder::answer(const Ipv6Address& target, const NdpSolicitor& solicitor, Time now,
                          NdpOutput& out) noexcept {
  if (const auto reason = spend(solicitor, now); reason != NdpIgnored::none)
    return counters_.ignore(reason);
  write(out.add_frame(), target, &solicitor);
}

void NdpResponder::announce(const Ipv6Address& target, Time now, NdpOutput& out) noexcept {
  if (interface_.link_local.is_unspecified() || is_own(target) || neighbors_.has(target, now))
    return;
  const auto decision = rules_.decide(target);
  if (decision.ignored != NdpIgnored::none || decision.needs_probe) return;
  write(out.add_frame(), target, nullptr);
}

// RFC 4861 7.2.4: sent to the solicitor with S set; to all nodes with S clear if there is no
// solicitor address. A proxy never sets O (7.2.8). The link-layer address option is always present,
// as 7.2.4 requires for multicast solicitations and allows for others.
void NdpResponder::write(NdpFrame& frame, const Ipv6Address& target,
                         const NdpSolicitor* solicitor) const noexcept {
  const bool is_to_solicitor = solicitor != nullptr && !solicitor->source.is_unspecified();
  frame.may_wait = solicitor != nullptr && solicitor->was_multicast;
  frame.kind = solicitor == nullptr ? NdpFrame::Kind::announcement
               : is_to_solicitor    ? NdpFrame::Kind::answer
                                    : NdpFrame::Kind::duplicate_answer;
  const std::span bytes{frame.bytes};
  proto::build_ethernet(
      bytes.first<proto::kEthernetHeaderBytes>(),
      is_to_solicitor ? solicitor->address : proto::ethernet_group(proto::kAllNodes),
      interface_.address);
  proto::build_neighbor_advertisement(
      bytes.subspan<proto::kEthernetHeaderBytes>(),
      {.source = interface_.link_local,
       .destination = is_to_solicitor ? solicitor->source : proto::kAllNodes,
       .target = target,
       .router = is_router_,
       .solicited = is_to_solicitor,
       .address = interface_.address});
}

void NdpResponder::count(const NdpFrame& frame, NdpIgnored ignored) noexcept {
  const bool is_answer = frame.kind != NdpFrame::Kind::announcement;
  if (ignored != NdpIgnored::none) {
    if (is_answer) counters_.ignore(ignored);
    return;
  }
  (is_answer ? counters_.answers : counters_.announcements).add(1);
  if (frame.kind == NdpFrame::Kind::duplicate_answer) counters_.duplicate_answers.add(1);
}

// Spends one answer of the total limit and of the solicitor's limit. A solicitor without an address
// yet is identified by its Ethernet address.
NdpIgnored NdpResponder::spend(const NdpSolicitor& solicitor, Time now) noexcept {
  Ipv6Address source = solicitor.source;
  if (source.is_unspecified()) proto::store(source.bytes, 0, solicitor.address);
  TokenBucket& source_bucket =
      source_buckets_[(seeded_hash(source, seed_) >> 32) % source_buckets_.size()];
  if (!source_bucket.has(source_rate_, now)) return NdpIgnored::source_rate_limited;
  if (!bucket_.allow(rate_, now)) return NdpIgnored::rate_limited;
  source_bucket.spend(source_rate_, now);
  return NdpIgnored::none;
}

// Only addresses that could be solicited targets are stored; others would only use up entries.
void NdpResponder::note_on_link(const Ipv6Address& address, Time now) noexcept {
  if (rules_.covers(address) && !is_own(address)) neighbors_.add(address, now);
}

bool NdpResponder::is_own(const Ipv6Address& address) const noexcept {
  return std::find(interface_.own.begin(), interface_.own.end(), address) != interface_.own.end();
}

}  // namespace culvert
