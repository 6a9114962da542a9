#include "tools/culvert/daemon/ndp_set.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "tools/culvert/daemon/signal_mask.h"

namespace culvert::program {
namespace {

using boost::asio::posix::stream_descriptor;
using ErrorCode = boost::system::error_code;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kLinkSettleTime{50};
/// Reading all neighbors of a large link is expensive, and the proxy itself sees their
/// advertisements. So the neighbors are read less often.
constexpr std::chrono::milliseconds kNeighborSettleTime{1000};
constexpr std::chrono::milliseconds kRouteSettleTime{50};

/// The pause after an update is at least this many times its duration: so updates
/// take at most 3 % of the time, however many routes there are.
constexpr int kUpdatePauseFactor = 30;

}  // namespace

Result<void> NdpSet::start(const std::vector<NdpConfig>& sections) {
  auto netlink = netlink::Netlink::open();
  if (!netlink) return Unexpected{netlink.error()};
  netlink_.emplace(std::move(*netlink));
  for (const NdpConfig& section : sections) {
    if (auto started = start_one(section); !started) {
      stop();
      return started;
    }
  }
  log_idle_rules();
  return watch_network();
}

Result<void> NdpSet::start_one(const NdpConfig& section) {
  const SignalsBlocked blocked;
  auto proxy = ManagedNdp::start(section, *netlink_, open_, print_, prefixes_);
  if (!proxy) return Unexpected{proxy.error()};
  proxies_.push_back(std::move(*proxy));
  return {};
}

Result<void> NdpSet::apply(const std::vector<NdpConfig>& sections) {
  const std::vector<NdpConfig> before = this->sections();
  auto done = apply_all(sections);
  if (done) return done;
  Error error = done.error();
  if (auto undone = apply_all(before); !undone) {
    error.advice += "; the previous settings are not fully restored: " + undone.error().message();
  }
  return Unexpected{std::move(error)};
}

Result<void> NdpSet::apply_all(const std::vector<NdpConfig>& sections) {
  for (const NdpConfig& section : sections) {
    if (auto applied = apply_one(section); !applied) return applied;
  }
  proxies_.remove_if([&](const std::unique_ptr<ManagedNdp>& proxy) {
    const bool is_kept = std::any_of(sections.begin(), sections.end(), [&](const NdpConfig& each) {
      return each.interface == proxy->interface();
    });
    if (!is_kept) print_("culvert: ndp " + proxy->interface() + " has stopped\n");
    return !is_kept;
  });
  return watch_network();
}

Result<void> NdpSet::apply_one(const NdpConfig& section) {
  const auto proxy = std::find_if(proxies_.begin(), proxies_.end(), [&](const auto& each) {
    return each->interface() == section.interface;
  });
  if (proxy == proxies_.end()) return start_one(section);
  if ((*proxy)->apply(section)) return {};
  // Table sizes cannot change in place: a new proxy starts before this one is removed.
  if (auto started = start_one(section); !started) return started;
  proxies_.erase(proxy);
  return {};
}

void NdpSet::tunnels_changed(std::span<const EngineStatus> devices) {
  prefixes_ = tunnel_prefixes(devices);
  for (const auto& proxy : proxies_) proxy->tunnels_changed(prefixes_);
  complete_later();
  log_idle_rules();
}

/// A reload calls it after its tunnels are applied, because rules are applied before tunnels.
void NdpSet::log_idle_rules() {
  for (const auto& proxy : proxies_) proxy->log_idle_rules(prefixes_);
}

void NdpSet::stop() {
  watched_.clear();
  for (const auto& proxy : proxies_) proxy->stop();
}

std::vector<NdpReport> NdpSet::reports() const {
  std::vector<NdpReport> all;
  for (const auto& proxy : proxies_) all.push_back(proxy->report());
  return all;
}

std::vector<NdpConfig> NdpSet::sections() const {
  std::vector<NdpConfig> all;
  for (const auto& proxy : proxies_) all.push_back(proxy->config());
  return all;
}

/// Starts watching the network as soon as there is a proxy.
Result<void> NdpSet::watch_network() {
  set_interests();
  if (proxies_.empty() || !watched_.empty()) return {};
  if (auto done = watch(host::NdpWatch::Kind::links, kLinkSettleTime, &ManagedNdp::link_changed);
      !done)
    return done;
  if (auto done = watch(host::NdpWatch::Kind::neighbors, kNeighborSettleTime,
                        &ManagedNdp::neighbors_changed);
      !done)
    return done;
  if (auto done =
          watch(host::NdpWatch::Kind::routes, kRouteSettleTime, &ManagedNdp::routes_changed);
      !done)
    return done;
  for (const auto& proxy : proxies_) proxy->link_changed();  // for changes before the watch
  interests_.clear();
  set_interests();
  return {};
}

/// Reads again what others changed meanwhile, so that no proxy depends on an event that never comes.
void NdpSet::complete() {
  const bool are_routes_quiet = changes_ && !changes_->any();
  for (const auto& proxy : proxies_) proxy->complete(are_routes_quiet);
  set_interests();
}

void NdpSet::complete_later() {
  changes_.reset();
  if (std::all_of(proxies_.begin(), proxies_.end(),
                  [](const auto& proxy) { return proxy->is_complete(); }))
    return;
  if (auto opened = host::RouteChanges::open()) changes_.emplace(std::move(*opened));
  complete_.request();
}

/// Call after the proxies have read the network.
void NdpSet::set_interests() {
  complete_later();
  std::vector<host::NdpInterest> interests;
  for (const auto& proxy : proxies_) interests.push_back(proxy->interest());
  if (interests == interests_ || watched_.empty()) return;
  interests_ = std::move(interests);
  for (Watched& each : watched_) each.watch.set_interests(interests_);
  for (const auto& proxy : proxies_) {  // for changes before
    proxy->neighbors_changed();
    proxy->routes_changed();
  }
}

/// Waits on a copy of the descriptor, because both owners close theirs.
Result<void> NdpSet::watch(host::NdpWatch::Kind kind, std::chrono::milliseconds settle_time,
                           void (ManagedNdp::*update)()) {
  auto opened = host::NdpWatch::open(kind);
  if (!opened) return Unexpected{opened.error()};
  const int copy = ::dup(opened->fd());
  if (copy < 0) {
    return Unexpected{
        Error{.code = errno, .operation = "watch", .object = "the network", .advice = {}}};
  }
  watched_.emplace_back(context_, std::move(*opened), copy);
  await(watched_.back(), settle_time, update);
  return {};
}

void NdpSet::update_after(Watched& watched, void (ManagedNdp::*update)()) {
  if (!watched.watch.drain()) return;  // later changes start the next update
  const auto start = Clock::now();
  for (const auto& proxy : proxies_) (*proxy.*update)();
  watched.last_end = Clock::now();
  watched.last_update = watched.last_end - start;
  set_interests();
}

void NdpSet::await(Watched& watched, std::chrono::milliseconds settle_time,
                   void (ManagedNdp::*update)()) {
  watched.descriptor.async_wait(stream_descriptor::wait_read, [this, &watched, settle_time,
                                                               update](ErrorCode error) {
    if (error) return;
    watched.settle.expires_at(std::max(
        Clock::now() + settle_time, watched.last_end + kUpdatePauseFactor * watched.last_update));
    watched.settle.async_wait([this, &watched, settle_time, update](ErrorCode stopped) {
      if (stopped) return;
      update_after(watched, update);
      await(watched, settle_time, update);
    });
  });
}

}  // namespace culvert::program
