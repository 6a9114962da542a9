#include "engine/ndp/ndp_responder.h"

#include <algorithm>

#include "proto/icmpv6.h"

namespace culvert {

using proto::Ipv6Address;

namespace {

/// Without a rule that probes the table stays small.
NdpProbe table_of(const NdpConfig& config) noexcept {
  NdpProbe probe = config.probe;
  if (!has_probe(config)) probe.cache = kMinNdpEntries;
  return probe;
}

}  // namespace

NdpResponder::NdpResponder(const NdpConfig& config, std::uint64_t seed, NdpRoutes* routes)
    : routes_(routes),
      neighbors_(config.on_link, config.on_link_ttl, seed),
      confirmations_(kConfirmation, seed),
      probes_(table_of(config), seed),
      is_router_(config.router),
      source_(config.source),
      announce_(config.announce),
      rate_(config.answers_per_second, config.answers_per_second),
      source_rate_(config.answers_per_second_per_source, config.answers_per_second_per_source),
      source_buckets_(kSourceBuckets),
      seed_(seed) {
  wires_.apply(config);
}

void NdpResponder::apply(const NdpConfig& config) {
  neighbors_.set_ttl(config.on_link_ttl);
  if (has_probe(config) && probes_.size() < config.probe.cache) {
    probes_ = NdpProbes{config.probe, seed_};
  } else {
    probes_.apply(config.probe);
  }
  wires_.apply(config);
  is_router_ = config.router;
  source_ = config.source;
  announce_ = config.announce;
  rate_ = {config.answers_per_second, config.answers_per_second};
  source_rate_ = {config.answers_per_second_per_source, config.answers_per_second_per_source};
}

void NdpResponder::set_rules(NdpRules& rules) {
  std::swap(rules_, rules);
  wires_.keep([this](const NdpWires::Wire& wire) {
    const auto decision = rules_.decide(wire.target);
    const auto links = rules_.probe_links(decision);
    return decision.wire &&
           std::find(links.begin(), links.end(), wire.interface_index) != links.end();
  });
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
    return receive_advertisement(*message, sender, now, out);
  receive_solicitation(*message, sender, now, out);
}

// The target of an advertisement lives on the link, unless O is clear: that is another proxy
// (RFC 4861 7.2.8) or an anycast address. One with our own link-layer address is an echo of ours.
void NdpResponder::receive_advertisement(const proto::NeighborMessage& message,
                                         const proto::EthernetAddress& sender, Time now,
                                         NdpOutput& out) noexcept {
  counters_.advertisements.add(1);
  if (sender == interface_.address) return;
  if (message.has_address && message.address == interface_.address) return;
  if (!message.override) return;
  note_on_link(message.target, message.has_address ? message.address : sender, now);
  if (!message.solicited) return;
  const auto outcome = confirmations_.settle(message.target, true, now);
  if (outcome.was_probing) finish_confirmation(outcome, true, now, out);
}

void NdpResponder::receive_solicitation(const proto::NeighborMessage& message,
                                        const proto::EthernetAddress& sender, Time now,
                                        NdpOutput& out) noexcept {
  const Ipv6Address& target = message.target;
  if (const auto reason = check_solicitor(message, sender); reason != NdpIgnored::none)
    return counters_.ignore(reason);
  if (sender != interface_.address) note_on_link(message.source, sender, now);
  const auto decision = rules_.decide(target);
  if (decision.ignored != NdpIgnored::none) return counters_.ignore(decision.ignored);
  if (const auto reason = check_target(message, decision); reason != NdpIgnored::none)
    return counters_.ignore(reason);
  if (const auto reason = check_route(target, decision, now); reason != NdpIgnored::none) {
    // Duplicate address detection: a host on the link is about to use an address that is not behind
    // us.
    if (message.source.is_unspecified() && reason != NdpIgnored::rate_limited)
      note_on_link(target, sender, now);
    return counters_.ignore(reason);
  }
  // A multicast address in the option cannot be the destination of an answer.
  const bool is_usable = message.has_address && !message.address.is_group();
  const NdpSolicitor solicitor{.source = message.source,
                               .address = is_usable ? message.address : sender,
                               .was_multicast = message.destination.is_multicast(),
                               .solicited_at = now};
  if (waits_for_confirmation(target, solicitor, now, out)) return;
  answer_by_rule(target, decision, solicitor, now, out);
}

NdpIgnored NdpResponder::check_solicitor(const proto::NeighborMessage& message,
                                         const proto::EthernetAddress& sender) const noexcept {
  if (ndp_source(source_, interface_, message.target).is_unspecified())
    return NdpIgnored::interface_unready;
  if (sender.is_group()) return NdpIgnored::ethernet_source_group;
  if (message.source.is_multicast()) return NdpIgnored::source_multicast;
  if (message.source.is_loopback()) return NdpIgnored::source_loopback;
  if (is_own(message.target)) return NdpIgnored::own_address;
  if (message.source == message.target) return NdpIgnored::source_is_target;
  return NdpIgnored::none;
}

// What no rule answers for. A rule that is shorter than the prefix of the link does not know the
// hosts there, so it leaves duplicate address detection to them; `auto` knows by the route.
NdpIgnored NdpResponder::check_target(const proto::NeighborMessage& message,
                                      const NdpRules::Decision& decision) const noexcept {
  const Ipv6Address& target = message.target;
  if (target.is_link_local() || target.is_loopback() || target.is_ipv4_compatible_or_mapped())
    return NdpIgnored::target_not_forwarded;
  if (std::binary_search(gateways_.begin(), gateways_.end(), target)) return NdpIgnored::gateway;
  if (!message.source.is_unspecified() || decision.answer == NdpAnswer::automatic)
    return NdpIgnored::none;
  const bool is_foreign = std::any_of(
      interface_.on_link.begin(), interface_.on_link.end(), [&](const proto::Ipv6Prefix& prefix) {
        return prefix.length_bits > decision.length_bits && prefix.contains(target);
      });
  return is_foreign ? NdpIgnored::on_link_prefix : NdpIgnored::none;
}

// A rule that names the interfaces of its hosts does not need the kernel's route to find them.
NdpIgnored NdpResponder::check_route(const Ipv6Address& target, const NdpRules::Decision& decision,
                                     Time now) noexcept {
  if (decision.answer == NdpAnswer::always) return NdpIgnored::none;
  if (decision.probe_links != 0) {
    const bool is_missing = rules_.probe_links(decision).empty();
    return is_missing ? NdpIgnored::probe_interface_missing : NdpIgnored::none;
  }
  if (routes_ == nullptr)
    return decision.answer == NdpAnswer::automatic ? rules_.check_tunnel(target) : NdpIgnored::none;
  if (!look_ups_.allow({kLookUpsPerSecond, kLookUpsPerSecond}, now))
    return NdpIgnored::rate_limited;
  return rules_.check_route(target, routes_->find(target, interface_.index), interface_.index);
}

// ---- is the target on the link? -----------------------------------------------------------------

// Nothing is left to a neighbor on the link that does not answer a solicitation of ours with O set:
// RFC 4861 7.3 knows no other confirmation. True: the solicitor waits, or the neighbor has answered.
bool NdpResponder::waits_for_confirmation(const Ipv6Address& target, const NdpSolicitor& solicitor,
                                          Time now, NdpOutput& out) noexcept {
  const auto link_layer = neighbors_.find(target, now);
  if (!link_layer) return false;
  const auto verdict = confirmations_.check(target, solicitor, now);
  if (verdict.send_probe) write_question(out.add_frame(), target, *link_layer);
  if (verdict.is_alive) counters_.ignore(NdpIgnored::on_link);
  if (verdict.ignored == NdpIgnored::probe_waiting) counters_.ignore(verdict.ignored);
  // Otherwise nobody answered, or there is no room to ask: then the rule stands.
  return verdict.is_alive || verdict.ignored == NdpIgnored::none ||
         verdict.ignored == NdpIgnored::probe_waiting;
}

// The rules may have changed while the solicitors waited.
void NdpResponder::finish_confirmation(const NdpProbes::Outcome& outcome, bool is_on_link, Time now,
                                       NdpOutput& out) noexcept {
  const auto decision = rules_.decide(outcome.target);
  const NdpIgnored reason = is_on_link ? NdpIgnored::on_link : decision.ignored;
  for (const NdpSolicitor& solicitor : outcome.solicitors) {
    if (reason != NdpIgnored::none) {
      counters_.ignore(reason);
    } else {
      answer_by_rule(outcome.target, decision, solicitor, now, out);
    }
  }
}

std::vector<NdpNeighbor> NdpResponder::confirmed(Time now) {
  std::vector<NdpNeighbor> all;
  for (const Ipv6Address& address : confirmations_.alive(now)) {
    if (const auto link_layer = neighbors_.find(address, now))
      all.push_back({address, *link_layer});
  }
  return all;
}

// ---- answers ------------------------------------------------------------------------------------

void NdpResponder::answer_by_rule(const Ipv6Address& target, const NdpRules::Decision& decision,
                                  const NdpSolicitor& solicitor, Time now,
                                  NdpOutput& out) noexcept {
  // This host does not answer its own solicitation.
  const bool needs_probe =
      decision.answer == NdpAnswer::probe && !(decision.probe_links != 0 && is_local(target, now));
  if (needs_probe) return answer_if_alive(target, decision, solicitor, now, out);
  answer(target, solicitor, now, out);
}

bool NdpResponder::is_local(const Ipv6Address& target, Time now) noexcept {
  return routes_ != nullptr && look_ups_.allow({kLookUpsPerSecond, kLookUpsPerSecond}, now) &&
         routes_->find(target, interface_.index).kind == NdpRoute::Kind::local;
}

void NdpResponder::answer_if_alive(const Ipv6Address& target, const NdpRules::Decision& decision,
                                   const NdpSolicitor& solicitor, Time now,
                                   NdpOutput& out) noexcept {
  const auto verdict = probes_.check(target, solicitor, now);
  if (verdict.send_probe) probe(target, decision, out);
  if (verdict.is_alive) return answer(target, solicitor, now, out);
  if (verdict.ignored != NdpIgnored::none) counters_.ignore(verdict.ignored);
}

// To the links that the rule names, else to the target's own link if the kernel's route says that it
// is on one.
void NdpResponder::probe(const Ipv6Address& target, const NdpRules::Decision& decision,
                         NdpOutput& out) noexcept {
  for (const unsigned index : rules_.probe_links(decision)) out.add_probe({target, index, true});
  if (decision.probe_links != 0) return;
  const NdpRoute route = routes_ != nullptr ? routes_->find(target, interface_.index) : NdpRoute{};
  const bool is_on_our_link = route.kind == NdpRoute::Kind::unicast && !route.has_gateway;
  out.add_probe({target, is_on_our_link ? route.interface_index : 0});
}

void NdpResponder::receive_reply(const io::ProbeReply& reply, Time now, NdpOutput& out) noexcept {
  const auto decision = rules_.decide(reply.target);
  const auto links = rules_.probe_links(decision);
  if (decision.probe_links != 0 &&
      std::find(links.begin(), links.end(), reply.interface_index) == links.end())
    return;
  // The kernel's route leads to the soliciting link: the target lives there and answers for itself.
  // An advertisement from there says nothing about that route.
  const bool is_on_link = reply.interface_index == interface_.index;
  if (is_on_link && reply.is_advertisement) return;
  const auto outcome = probes_.settle(reply.target, !is_on_link, now);
  if (!outcome.was_probing) return;
  if (decision.wire) wires_.add(reply.target, reply.interface_index, now);
  (is_on_link ? counters_.probes_unanswered : counters_.probes_answered).add(1);
  finish_probe(outcome, is_on_link ? NdpIgnored::on_link : NdpIgnored::none, now, out);
}

bool NdpResponder::expire(Time now, NdpOutput& out) noexcept {
  return expire_confirmations(now, out) || expire_probes(now, out) || probe_wired(now, out);
}

// A host with a route is probed again before its time ends, whether it is solicited or not.
bool NdpResponder::probe_wired(Time now, NdpOutput& out) noexcept {
  while (out.has_room()) {
    const auto target = wires_.next(now);
    if (!target) return false;
    const auto renewal = probes_.renew(*target, now);
    if (renewal.send_probe) probe(*target, rules_.decide(*target), out);
    if (!renewal.is_known) wires_.remove(*target);
  }
  return true;
}

bool NdpResponder::expire_confirmations(Time now, NdpOutput& out) noexcept {
  while (out.has_room()) {
    const auto overdue = confirmations_.overdue(now);
    if (!overdue.is_any) return false;
    const Ipv6Address& target = overdue.outcome.target;
    if (!overdue.send_probe) {
      finish_confirmation(overdue.outcome, false, now, out);
    } else if (const auto link_layer = neighbors_.find(target, now)) {
      write_question(out.add_frame(), target, *link_layer);
    }
  }
  return true;
}

bool NdpResponder::expire_probes(Time now, NdpOutput& out) noexcept {
  while (out.has_room()) {
    const auto overdue = probes_.overdue(now);
    if (!overdue.is_any) return false;
    if (overdue.send_probe) {
      probe(overdue.outcome.target, rules_.decide(overdue.outcome.target), out);
      continue;
    }
    counters_.probes_unanswered.add(1);
    wires_.remove(overdue.outcome.target);
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
    if (solicitor.source.is_unspecified()) note_on_link(outcome.target, solicitor.address, now);
  }
}

void NdpResponder::answer(const Ipv6Address& target, const NdpSolicitor& solicitor, Time now,
                          NdpOutput& out) noexcept {
  if (const auto reason = spend(solicitor, now); reason != NdpIgnored::none)
    return counters_.ignore(reason);
  write(out.add_frame(), target, &solicitor);
}

void NdpResponder::announce(const Ipv6Address& target, Time now, NdpOutput& out) noexcept {
  const bool is_ready = !ndp_source(source_, interface_, target).is_unspecified();
  if (!is_ready || is_own(target) || neighbors_.find(target, now)) return;
  const auto decision = rules_.decide(target);
  if (decision.ignored != NdpIgnored::none || decision.answer == NdpAnswer::probe) return;
  if (check_target({.source = interface_.link_local, .target = target}, decision) !=
          NdpIgnored::none ||
      check_route(target, decision, now) != NdpIgnored::none)
    return;
  NdpFrame& frame = out.add_frame();
  if (announce_ == NdpAnnounce::duplicate_detection)
    return write_duplicate_detection(frame, target);
  if (announce_ == NdpAnnounce::echo_request) return write_echo_request(frame, target, now);
  write(frame, target, nullptr);
}

// RFC 4862 5.4.2. Nobody else uses the target, so nobody answers.
void NdpResponder::write_duplicate_detection(NdpFrame& frame,
                                             const Ipv6Address& target) const noexcept {
  frame.may_wait = false;
  frame.kind = NdpFrame::Kind::announcement;
  const std::span bytes{frame.bytes};
  const Ipv6Address group = proto::solicited_node_group(target);
  proto::build_ethernet(bytes.first<proto::kEthernetHeaderBytes>(), proto::ethernet_group(group),
                        interface_.address);
  frame.size_bytes = proto::kEthernetHeaderBytes +
                     proto::build_neighbor_solicitation(
                         bytes.subspan<proto::kEthernetHeaderBytes>(),
                         {.source = {}, .destination = group, .target = target, .address = {}});
}

// To a router by which this host sends, if its link-layer address is known; else to all routers. Its
// reply is for the target, so the router solicits the target.
void NdpResponder::write_echo_request(NdpFrame& frame, const Ipv6Address& target,
                                      Time now) noexcept {
  Ipv6Address router = proto::kAllRouters;
  proto::EthernetAddress link_layer = proto::ethernet_group(router);
  for (const Ipv6Address& gateway : gateways_) {
    const auto found = neighbors_.find(gateway, now);
    if (!found) continue;
    router = gateway;
    link_layer = *found;
    break;
  }
  frame.may_wait = false;
  frame.kind = NdpFrame::Kind::announcement;
  frame.size_bytes = proto::kEthernetHeaderBytes + proto::kIcmpv6EchoRequestBytes;
  const std::span bytes{frame.bytes};
  proto::build_ethernet(bytes.first<proto::kEthernetHeaderBytes>(), link_layer, interface_.address);
  proto::build_icmpv6_echo_request(
      bytes.subspan<proto::kEthernetHeaderBytes, proto::kIcmpv6EchoRequestBytes>(), target, router);
}

// RFC 4861 7.2.4: sent to the solicitor with S set; to all nodes with S clear if there is no
// solicitor address. A proxy never sets O (7.2.8). The link-layer address option is always present,
// as 7.2.4 requires for multicast solicitations and allows for others.
void NdpResponder::write(NdpFrame& frame, const Ipv6Address& target,
                         const NdpSolicitor* solicitor) const noexcept {
  const bool is_to_solicitor = solicitor != nullptr && !solicitor->source.is_unspecified();
  frame.size_bytes = kNdpFrameBytes;
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
      {.source = ndp_source(source_, interface_, target),
       .destination = is_to_solicitor ? solicitor->source : proto::kAllNodes,
       .target = target,
       .router = is_router_,
       .solicited = is_to_solicitor,
       .address = interface_.address});
}

// To the group of the target, so that the answer has the link-layer address and O set if an owner
// sends it (RFC 4861 7.2.4): a unicast solicitation is answered alike by owner and proxy. In a frame
// to that neighbor alone (RFC 6085).
void NdpResponder::write_question(NdpFrame& frame, const Ipv6Address& target,
                                  const proto::EthernetAddress& link_layer) const noexcept {
  frame.size_bytes = kNdpFrameBytes;
  frame.may_wait = false;
  frame.kind = NdpFrame::Kind::question;
  const std::span bytes{frame.bytes};
  proto::build_ethernet(bytes.first<proto::kEthernetHeaderBytes>(), link_layer, interface_.address);
  static_assert(proto::kNeighborSolicitationMaxBytes == proto::kNeighborAdvertisementBytes);
  static_cast<void>(
      proto::build_neighbor_solicitation(bytes.subspan<proto::kEthernetHeaderBytes>(),
                                         {.source = interface_.link_local,
                                          .destination = proto::solicited_node_group(target),
                                          .target = target,
                                          .address = interface_.address}));
}

void NdpResponder::count(const NdpFrame& frame, NdpIgnored ignored) noexcept {
  if (frame.kind == NdpFrame::Kind::question)
    return counters_.questions.add(ignored == NdpIgnored::none);
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
void NdpResponder::note_on_link(const Ipv6Address& address,
                                const proto::EthernetAddress& link_layer, Time now) noexcept {
  if (!rules_.covers(address) || is_own(address)) return;
  neighbors_.add({.address = address, .link_layer = link_layer}, now);
  confirmations_.revive(address);
}

// Also the subnet-router anycast address of each prefix of the link: the kernel of a router answers
// for it, and on a host nobody does (RFC 4291 2.6.1).
bool NdpResponder::is_own(const Ipv6Address& address) const noexcept {
  if (std::find(interface_.own.begin(), interface_.own.end(), address) != interface_.own.end())
    return true;
  return std::any_of(interface_.on_link.begin(), interface_.on_link.end(),
                     [&](const proto::Ipv6Prefix& prefix) {
                       return prefix.length_bits < 127 && prefix.address == address;
                     });
}

}  // namespace culvert
