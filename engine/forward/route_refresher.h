// RouteRefresher: keeps the paths of all tunnels in step with the kernel's routes. It has a thread
// of its own, because a look-up takes several system calls and packets must not wait for them.
//
// Writers of a Path: the refresher (local address, route MTU, interface index, and the expiry of a
// learned MTU), the worker that receives ICMP errors (the learned MTU), the engine's owner (the next
// hop). Only the expiry has two writers: see LearnedMtu. The refresher is a reader of the Snapshot,
// so the path of a removed tunnel stays alive while a round uses it.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <thread>

#include "engine/tables/snapshot.h"
#include "engine/tables/tables.h"
#include "io/cache_line.h"
#include "io/event_fd.h"
#include "io/route_lookup.h"
#include "io/wake_event.h"

namespace culvert {

class RouteRefresher {
 public:
  /// Look-ups per round. A round delays Snapshot::publish() and the end of the thread.
  static constexpr std::size_t kBatch = 64;
  /// Upper limit of the rounds that refused packets cause.
  static constexpr std::chrono::milliseconds kRefusalInterval{1};

  /// `tables` must outlive the refresher, which reads it as reader number `reader`. `changed` is
  /// signaled after a round that has changed a local address or a route MTU.
  RouteRefresher(Snapshot<Tables>& tables, std::size_t reader, io::EventFd changed = {}) noexcept;
  RouteRefresher(const RouteRefresher&) = delete;
  RouteRefresher& operator=(const RouteRefresher&) = delete;
  ~RouteRefresher() { stop(); }

  // For the owner, one thread at a time.
  /// Starts the thread, unless it runs. `device` becomes part of its name.
  [[nodiscard]] Result<void> start(const std::string& device);
  void stop() noexcept;
  /// Looks up all routes again: as soon as possible on the thread, or in this call if there is none.
  void refresh() noexcept;
  /// Starts a round, so that the thread uses the newest tables.
  void wake() noexcept { event_.wake(); }
  [[nodiscard]] int changed_fd() const noexcept { return changed_.fd(); }

  /// The kernel refused a packet of the tunnel in `slot` with EMSGSIZE: its route has changed. The
  /// route is looked up soon, unless a tunnel with the same remainder modulo kBatch needs the same
  /// just then: in that case the next refused packet requests it. Any worker, after the thread has
  /// started. No lock, and a system call at most every kRefusalInterval.
  void report_too_big(std::uint32_t slot) noexcept;

  /// Looks up the routes of tunnels with refused packets, and the next kBatch routes if all are
  /// requested or due. Returns when the next round is due. The thread repeats it; tests call it.
  Time round(Time now) noexcept;

 private:
  static constexpr std::uint32_t kNoSlot = UINT32_MAX;

  void run() noexcept;
  void refresh_too_big(const Tables& tables, Time now) noexcept;
  void refresh_batch(const Tables& tables, Time now) noexcept;
  void refresh_tunnel(const Tunnel* tunnel, Time now) noexcept;
  void report_changes() noexcept;

  Snapshot<Tables>& snapshot_;
  const std::size_t reader_;
  io::WakeEvent event_;
  io::EventFd changed_;
  std::atomic<bool> stop_{false};
  std::atomic<bool> is_requested_{false};  ///< a refresh of all routes
  std::thread thread_;

  // Of round() alone:
  io::RouteLookup lookup_;
  Time next_batch_{};
  Time next_too_big_{};
  bool has_changes_ = false;  ///< that are not reported yet
  std::size_t next_path_ = 0;
  std::size_t pending_ = 0;  ///< paths of a requested refresh that are not refreshed yet

  /// Workers write these when a packet is refused, and at no other time. Slot n is at index n modulo
  /// kBatch.
  alignas(io::kCacheLineBytes) std::array<std::atomic<std::uint32_t>, kBatch> too_big_;
  std::atomic<bool> has_too_big_{false};
};

}  // namespace culvert
