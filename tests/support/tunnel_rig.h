// TunnelRig: one worker over MemoryPacketIo with one or several tunnels, and their counters. The
// base of the tests of both directions.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "engine/forward/worker.h"
#include "tests/support/memory_queue.h"

namespace culvert::test {

inline constexpr auto kLocalText = "192.0.2.1", kRemoteText = "198.51.100.1";
inline const auto kLocal = proto::Ipv4Address::from_text(kLocalText).value();
inline const auto kRemote = proto::Ipv4Address::from_text(kRemoteText).value();

/// A tunnel from kLocal to kRemote as an engine would build it, without a route look-up.
[[nodiscard]] Tunnel make_tunnel(const TunnelConfig& config, std::uint16_t device_mtu,
                                 std::uint16_t path_mtu);
[[nodiscard]] TunnelConfig sit_config();
/// 198.51.100.`number`: kRemote and its neighbors.
[[nodiscard]] proto::Ipv4Address remote_numbered(int number);
[[nodiscard]] TunnelConfig ipip_config();
[[nodiscard]] TunnelConfig gre_config(const proto::Gre::Parameters& parameters = {});

class TunnelRig {
 public:
  explicit TunnelRig(const TunnelConfig& config, std::uint16_t path_mtu = 1500,
                     WorkerOptions options = {});
  /// `own`: addresses of this host, sorted.
  explicit TunnelRig(const std::vector<TunnelConfig>& configs, OwnAddresses own = {},
                     std::uint16_t path_mtu = 1500, WorkerOptions options = {});

  /// Runs one round over the packets in the queues.
  void round() { ASSERT_TRUE(worker_->round(std::chrono::nanoseconds{0}, now)); }

  [[nodiscard]] MemoryPacketIo& queues() noexcept { return *queues_; }
  [[nodiscard]] Worker& worker() noexcept { return *worker_; }
  /// Not started: the test runs its rounds.
  [[nodiscard]] RouteRefresher& refresher() noexcept { return *refresher_; }
  [[nodiscard]] Path& path(std::uint32_t slot = 0) noexcept {
    return *tables_->current().tunnel(slot).path;
  }
  [[nodiscard]] Totals tunnel(std::uint32_t slot = 0) const noexcept {
    return worker_->totals(slot);
  }
  [[nodiscard]] Totals device() const noexcept { return worker_->device_totals(); }
  /// The sum of the tunnels' and the device's counters.
  [[nodiscard]] Totals totals() const;

  Time now{std::chrono::hours{1}};

 private:
  std::unique_ptr<Snapshot<Tables>> tables_;
  std::unique_ptr<RouteRefresher> refresher_;
  MemoryPacketIo* queues_ = nullptr;
  std::unique_ptr<Worker> worker_;
};

/// Checks that received = forwarded + dropped + held, and that nothing is held between rounds.
void expect_conserved(const TunnelRig& rig);

/// Checks that `reason` was counted `packets` times, at its tunnel or device, and no other reason
/// at all.
void expect_only_drop(const TunnelRig& rig, DropReason reason, std::uint64_t packets = 1);

}  // namespace culvert::test
