#include "engine/forward/route_refresher.h"

#include <algorithm>
#include <chrono>
#include <system_error>
#include <utility>

#include "engine/tables/path.h"
#include "io/thread.h"

namespace culvert {
namespace {

/// Interval between refreshes of all routes, if there are at most RouteRefresher::kBatch.
constexpr auto kInterval = std::chrono::seconds{1};
/// Interval between refreshes of RouteRefresher::kBatch routes, if there are more.
constexpr auto kBatchInterval = std::chrono::milliseconds{125};

}  // namespace

RouteRefresher::RouteRefresher(Snapshot<Tables>& tables, std::size_t reader,
                               io::EventFd changed) noexcept
    : snapshot_(tables), reader_(reader), changed_(std::move(changed)) {
  for (auto& slot : too_big_) slot.store(kNoSlot, std::memory_order_relaxed);
}

Result<void> RouteRefresher::start(const std::string& device) {
  if (thread_.joinable()) return {};
  if (auto opened = event_.open(device); !opened) return opened;
  stop_.store(false, std::memory_order_relaxed);
  snapshot_.activate(reader_);
  try {
    thread_ = std::thread{[this, device] {
      io::set_thread_name("routes-" + device);
      run();
    }};
  } catch (const std::system_error& error) {
    snapshot_.deactivate(reader_);
    return Unexpected{Error{.code = error.code().value(),
                            .operation = "start thread",
                            .object = "routes of " + device,
                            .advice = ""}};
  }
  return {};
}

void RouteRefresher::stop() noexcept {
  if (!thread_.joinable()) return;
  stop_.store(true, std::memory_order_relaxed);
  wake();
  thread_.join();
  snapshot_.deactivate(reader_);
}

void RouteRefresher::refresh() noexcept {
  if (thread_.joinable()) {
    is_requested_.store(true, std::memory_order_relaxed);
    return wake();
  }
  for (const Tunnel* tunnel : snapshot_.current().one_per_path())
    refresh_tunnel(tunnel, Time::clock::now());
  report_changes();
}

void RouteRefresher::report_too_big(std::uint32_t slot) noexcept {
  // The release pairs with the acquire in refresh_too_big(): the look-up comes after the refusal.
  if (too_big_[slot % kBatch].exchange(slot, std::memory_order_release) == slot) return;
  // The release pairs with the acquire in round(): a round that ends this request sees the slot. A
  // request that has not ended has already woken the thread.
  if (!has_too_big_.exchange(true, std::memory_order_acq_rel)) wake();
}

void RouteRefresher::run() noexcept {
  while (!stop_.load(std::memory_order_relaxed)) {
    const Time due = round(Time::clock::now());
    event_.sleep(due - Time::clock::now());
  }
}

Time RouteRefresher::round(Time now) noexcept {
  const Tables& tables = snapshot_.read(reader_);
  // The acquire pairs with the release in report_too_big().
  if (now >= next_too_big_ && has_too_big_.exchange(false, std::memory_order_acq_rel)) {
    refresh_too_big(tables, now);
    next_too_big_ = now + kRefusalInterval;
  }
  const std::size_t paths = tables.one_per_path().size();
  if (is_requested_.exchange(false, std::memory_order_relaxed)) pending_ = paths;
  const bool is_due = now >= next_batch_;
  if (is_due || pending_ != 0) refresh_batch(tables, now);
  report_changes();
  if (is_due) next_batch_ = now + (paths > kBatch ? Time::duration{kBatchInterval} : kInterval);
  if (pending_ != 0) return now;
  // A report that comes after this load wakes the thread.
  return has_too_big_.load(std::memory_order_relaxed) ? std::min(next_batch_, next_too_big_)
                                                      : next_batch_;
}

void RouteRefresher::refresh_too_big(const Tables& tables, Time now) noexcept {
  for (auto& entry : too_big_) {
    if (entry.load(std::memory_order_relaxed) == kNoSlot) continue;
    // The tables may have changed since.
    refresh_tunnel(tables.find(entry.exchange(kNoSlot, std::memory_order_acquire)), now);
  }
}

/// Refreshes the next paths, round-robin.
void RouteRefresher::refresh_batch(const Tables& tables, Time now) noexcept {
  const auto& paths = tables.one_per_path();
  const std::size_t count = std::min(paths.size(), kBatch);
  for (std::size_t i = 0; i < count; ++i) {
    if (next_path_ >= paths.size()) next_path_ = 0;
    refresh_tunnel(paths[next_path_++], now);
  }
  pending_ -= std::min(pending_, count);
}

void RouteRefresher::refresh_tunnel(const Tunnel* tunnel, Time now) noexcept {
  if (tunnel != nullptr) has_changes_ |= refresh_path(tunnel->config, *tunnel->path, lookup_, now);
}

void RouteRefresher::report_changes() noexcept {
  if (std::exchange(has_changes_, false)) changed_.signal();
}

}  // namespace culvert
