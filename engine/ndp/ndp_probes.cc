#include "engine/ndp/ndp_probes.h"

namespace culvert {

NdpProbes::NdpProbes(const NdpProbe& config, std::uint64_t seed)
    : config_(config),
      rate_(config.per_second, config.per_second),
      targets_(config.cache, seed),
      tries_(targets_.entries().size()) {}

void NdpProbes::apply(const NdpProbe& config) noexcept {
  config_ = config;
  rate_ = {config.per_second, config.per_second};
}

NdpProbes::Verdict NdpProbes::check(const proto::Ipv6Address& address,
                                    const NdpSolicitor& solicitor, Time now) noexcept {
  Target* target = targets_.find(address);
  if (target != nullptr && !target->is_probing && now >= target->until)
    target->state = State::unknown;
  if (target != nullptr && target->state == State::alive) {
    // Probed again before expiry, so that a target in use never becomes unknown.
    const bool is_old = now >= target->until - config_.alive_ttl / 2;
    return {.is_alive = true,
            .send_probe = is_old && !target->is_probing && begin(*target, address, now)};
  }
  if (target != nullptr && target->state == State::dead)
    return {.ignored = NdpIgnored::probe_known_dead};

  if (target == nullptr) {
    if (!bucket_.has(rate_, now)) return {.ignored = NdpIgnored::probe_rate_limited};
    target = targets_.add(address, [now](const Target& other) -> std::int64_t {
      if (other.is_probing || (other.state == State::alive && now < other.until)) return -1;
      return other.until.time_since_epoch().count();
    });
    if (target == nullptr) return {.ignored = NdpIgnored::probe_table_full};
  }
  const bool send = !target->is_probing;
  if (send && !begin(*target, address, now)) return {.ignored = NdpIgnored::probe_rate_limited};
  for (NdpSolicitor& waiting : std::span{target->solicitors}.first(target->solicitor_count)) {
    if (waiting.source != solicitor.source || waiting.address != solicitor.address) continue;
    waiting.solicited_at = now;
    return {.ignored = NdpIgnored::probe_waiting};
  }
  if (target->solicitor_count == kSolicitors) return {.ignored = NdpIgnored::probe_waiting};
  target->solicitors[target->solicitor_count++] = solicitor;
  return {.send_probe = send};
}

bool NdpProbes::begin(Target& target, const proto::Ipv6Address& address, Time now) noexcept {
  if (count_ == tries_.size() || !bucket_.allow(rate_, now)) return false;
  target.is_probing = true;
  target.tries = 1;
  target.due = now + config_.timeout;
  push({.target = address, .due = target.due});
  return true;
}

NdpProbes::Renewal NdpProbes::renew(const proto::Ipv6Address& address, Time now) noexcept {
  Target* target = targets_.find(address);
  if (target == nullptr) return {};
  return {.is_known = true, .send_probe = !target->is_probing && begin(*target, address, now)};
}

NdpProbes::Outcome NdpProbes::settle(const proto::Ipv6Address& address, bool is_alive,
                                     Time now) noexcept {
  Target* target = targets_.find(address);
  if (target == nullptr || !target->is_probing) return {.target = address};
  target->is_probing = false;
  target->state = is_alive ? State::alive : State::dead;
  target->until = now + (is_alive ? config_.alive_ttl : config_.dead_ttl);
  const std::span<const NdpSolicitor> solicitors{target->solicitors.data(),
                                                 target->solicitor_count};
  target->solicitor_count = 0;
  return {.target = address, .solicitors = solicitors, .was_probing = true};
}

void NdpProbes::revive(const proto::Ipv6Address& address) noexcept {
  Target* target = targets_.find(address);
  if (target != nullptr && target->state == State::dead) target->until = {};
}

NdpProbes::Overdue NdpProbes::overdue(Time now) noexcept {
  while (count_ != 0 && tries_[first_].due <= now) {
    const Try late = tries_[first_];
    pop();
    Target* target = targets_.find(late.target);
    // The target has answered in the meantime, and may be probed again.
    if (target == nullptr || !target->is_probing || target->due != late.due) continue;
    if (target->tries >= config_.tries || !bucket_.allow(rate_, now))
      return {.is_any = true, .outcome = settle(late.target, false, now)};
    ++target->tries;
    target->due = now + config_.timeout;
    push({.target = late.target, .due = target->due});
    return {.is_any = true, .send_probe = true, .outcome = {.target = late.target}};
  }
  return {};
}

Time NdpProbes::next_due() const noexcept { return count_ == 0 ? Time::max() : tries_[first_].due; }

bool NdpProbes::is_alive(const Target& target, Time now) noexcept {
  return target.state == State::alive && (target.is_probing || now < target.until);
}

std::vector<proto::Ipv6Address> NdpProbes::alive(Time now) const {
  std::vector<proto::Ipv6Address> all;
  for (const auto& entry : targets_.entries())
    if (entry.is_used && is_alive(entry.value, now)) all.push_back(entry.address);
  return all;
}

NdpProbes::Sizes NdpProbes::sizes(Time now) const noexcept {
  Sizes sizes;
  for (const auto& entry : targets_.entries()) {
    if (!entry.is_used) continue;
    const Target& target = entry.value;
    if (target.is_probing) ++sizes.probing;
    if (is_alive(target, now)) ++sizes.alive;
    if (target.state == State::dead && now < target.until) ++sizes.dead;
    sizes.waiting += target.solicitor_count;
  }
  return sizes;
}

void NdpProbes::push(const Try& a_try) noexcept {
  tries_[(first_ + count_) % tries_.size()] = a_try;
  ++count_;
}

void NdpProbes::pop() noexcept {
  first_ = (first_ + 1) % tries_.size();
  --count_;
}

}  // namespace culvert
