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

constexpr std::chrono::milliseconds kLinkSettleTime{50};
/// Reading all neighbors of a large link costs, and the proxy sees what they advertise by itself.
constexpr std::chrono::milliseconds kNeighborSettleTime{1000};

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
  tell_of_idle_rules();
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
  auto done = bring_to(sections);
  if (done) return done;
  Error error = done.error();
  if (auto undone = bring_to(before); !undone) {
    error.advice += "; and not all is as it was before: " + undone.error().message();
  }
  return Unexpected{std::move(error)};
}

Result<void> NdpSet::bring_to(const std::vector<NdpConfig>& sections) {
  for (const NdpConfig& section : sections) {
    if (auto applied = apply_one(section); !applied) return applied;
  }
  proxies_.remove_if([&](const std::unique_ptr<ManagedNdp>& proxy) {
    const bool is_kept = std::any_of(sections.begin(), sections.end(), [&](const NdpConfig& each) {
      return each.interface == proxy->interface();
    });
    if (!is_kept) print_("culvert: ndp " + proxy->interface() + " is no longer answered for\n");
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
  // Sizes of tables do not change in place: another takes over before this one goes.
  if (auto started = start_one(section); !started) return started;
  proxies_.erase(proxy);
  return {};
}

void NdpSet::tunnels_changed(std::span<const EngineStatus> devices) {
  prefixes_ = tunnel_prefixes(devices);
  for (const auto& proxy : proxies_) proxy->tunnels_changed(prefixes_);
  tell_of_idle_rules();
}

/// Not while a reload is under way, whose tunnels come after its rules.
void NdpSet::tell_of_idle_rules() {
  for (const auto& proxy : proxies_) proxy->tell_of_idle_rules(prefixes_);
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

/// Once there is somebody to tell.
Result<void> NdpSet::watch_network() {
  if (proxies_.empty() || !watched_.empty()) return {};
  if (auto done = watch(host::NdpWatch::Kind::links, kLinkSettleTime, &ManagedNdp::link_changed);
      !done)
    return done;
  if (auto done = watch(host::NdpWatch::Kind::neighbors, kNeighborSettleTime,
                        &ManagedNdp::neighbors_changed);
      !done)
    return done;
  for (const auto& proxy : proxies_) proxy->link_changed();  // what changed while nobody watched
  return {};
}

/// The descriptor is a copy, because both owners close theirs.
Result<void> NdpSet::watch(host::NdpWatch::Kind kind, std::chrono::milliseconds settle_time,
                           void (ManagedNdp::*look)()) {
  auto opened = host::NdpWatch::open(kind);
  if (!opened) return Unexpected{opened.error()};
  const int copy = ::dup(opened->fd());
  if (copy < 0) {
    return Unexpected{
        Error{.code = errno, .operation = "watch", .object = "the network", .advice = {}}};
  }
  watched_.emplace_back(context_, std::move(*opened), copy);
  await(watched_.back(), settle_time, look);
  return {};
}

void NdpSet::await(Watched& watched, std::chrono::milliseconds settle_time,
                   void (ManagedNdp::*look)()) {
  watched.descriptor.async_wait(
      stream_descriptor::wait_read, [this, &watched, settle_time, look](ErrorCode error) {
        if (error) return;
        watched.settle.expires_after(settle_time);
        watched.settle.async_wait([this, &watched, settle_time, look](ErrorCode stopped) {
          if (stopped) return;
          watched.watch.drain();  // what comes from here on is looked for again
          for (const auto& proxy : proxies_) (*proxy.*look)();
          await(watched, settle_time, look);
        });
      });
}

}  // namespace culvert::program
