// NdpWires: the host routes of an NDP proxy: one route to each target that has answered a probe, by
// the interface on which it answered. The kernel's own route may lead to another interface with the
// same prefix. Every route ends by itself unless it is renewed, so none outlives this process for
// long. Fixed memory; one thread.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "engine/ndp/ndp_config.h"
#include "engine/ndp/ndp_counters.h"
#include "engine/ndp/ndp_routes.h"
#include "engine/tables/tunnel.h"

namespace culvert {

class NdpWires {
 public:
  struct Wire {
    proto::Ipv6Address target{};
    unsigned interface_index = 0;
    Time renew_at{};  ///< when the target is probed again
  };
  /// A target is probed again after this time if no probe could be sent.
  static constexpr std::chrono::seconds kRetry{1};

  /// `routes`: may be null: nothing is wired. `counters` outlive this.
  NdpWires(NdpRoutes* routes, NdpCounters& counters) : routes_(routes), counters_(counters) {}

  /// Applies the times of probes. Allocates the table if a rule has `wire`.
  void apply(const NdpConfig& config);

  /// Adds or renews the route to a target that has answered on an interface. A route by another
  /// interface moves. With kMaxNdpWired targets, or where the kernel refuses, there is none.
  void add(const proto::Ipv6Address& target, unsigned interface_index, Time now) noexcept;
  /// Removes the route to a target, if there is one of ours.
  void remove(const proto::Ipv6Address& target) noexcept;
  /// Removes the routes for which `is_kept` is false.
  void keep(const std::function<bool(const Wire&)>& is_kept);

  /// A target that has to be probed again by `now`; its next time is in kRetry unless add() sets
  /// another.
  [[nodiscard]] std::optional<proto::Ipv6Address> next(Time now) noexcept;
  /// Time::max(): there are no routes.
  [[nodiscard]] Time next_due() const noexcept { return next_due_; }
  [[nodiscard]] std::span<const Wire> all() const noexcept { return wires_; }

 private:
  void remove_at(std::size_t index) noexcept;
  void renew_next_due() noexcept;

  NdpRoutes* routes_;
  NdpCounters& counters_;
  std::chrono::milliseconds renew_after_{};
  std::chrono::seconds lifetime_{};
  std::vector<Wire> wires_;  ///< of fixed capacity
  Time next_due_ = Time::max();
};

}  // namespace culvert
