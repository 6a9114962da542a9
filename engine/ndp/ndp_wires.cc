#include "engine/ndp/ndp_wires.h"

namespace culvert {
namespace {

/// The thread may be late.
constexpr std::chrono::seconds kGrace{5};

}  // namespace

void NdpWires::apply(const NdpConfig& config) {
  if (has_wire(config)) wires_.reserve(kMaxNdpWired);
  const NdpProbe& probe = config.probe;
  renew_after_ = probe.alive_ttl / 2;
  lifetime_ =
      std::chrono::ceil<std::chrono::seconds>(probe.alive_ttl + probe.tries * probe.timeout) +
      kGrace;
}

void NdpWires::add(const proto::Ipv6Address& target, unsigned interface_index, Time now) noexcept {
  if (routes_ == nullptr) return;
  auto wire = std::find_if(wires_.begin(), wires_.end(),
                           [&](const Wire& each) { return each.target == target; });
  if (wire != wires_.end() && wire->interface_index != interface_index) {
    remove(target);
    wire = wires_.end();
  }
  const bool is_new = wire == wires_.end();
  const bool has_room = !is_new || wires_.size() < wires_.capacity();
  if (!has_room || !routes_->add_host_route(target, interface_index, lifetime_, is_new)) {
    counters_.routes_refused.add(1);
    return;
  }
  const Wire renewed{target, interface_index, now + renew_after_};
  if (is_new) {
    counters_.routes_added.add(1);
    wires_.push_back(renewed);
  } else {
    *wire = renewed;
  }
  renew_next_due();
}

void NdpWires::remove(const proto::Ipv6Address& target) noexcept {
  for (std::size_t i = 0; i < wires_.size(); ++i)
    if (wires_[i].target == target) return remove_at(i);
}

void NdpWires::remove_at(std::size_t index) noexcept {
  routes_->remove_host_route(wires_[index].target, wires_[index].interface_index);
  counters_.routes_removed.add(1);
  wires_[index] = wires_.back();
  wires_.pop_back();
  renew_next_due();
}

void NdpWires::keep(const std::function<bool(const Wire&)>& is_kept) {
  for (std::size_t i = wires_.size(); i-- > 0;)
    if (!is_kept(wires_[i])) remove_at(i);
}

std::optional<proto::Ipv6Address> NdpWires::next(Time now) noexcept {
  if (now < next_due_) return std::nullopt;
  const auto first =
      std::min_element(wires_.begin(), wires_.end(),
                       [](const Wire& a, const Wire& b) { return a.renew_at < b.renew_at; });
  first->renew_at = now + kRetry;
  renew_next_due();
  return first->target;
}

void NdpWires::renew_next_due() noexcept {
  next_due_ = Time::max();
  for (const Wire& each : wires_) next_due_ = std::min(next_due_, each.renew_at);
}

}  // namespace culvert
