// HostRouteClaim: the metric of the host routes that this process adds. No other process of the
// network namespace has the same one at a time, so each process renews and removes its own routes
// alone, and routes with the metric of a process that has crashed are known to be nobody's. The claim
// is an abstract socket name (unix(7)), which the kernel frees however the process ends. One object
// for all NDP proxies of a process; any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>

#include "io/fd.h"

namespace culvert::host {

class HostRouteClaim {
 public:
  /// The first metric is the kernel's default, IP6_RT_PRIO_USER.
  static constexpr std::uint32_t kFirstMetric = 1'024, kMetrics = 16;

  /// Claims the first metric that is free, for as long as this object lives, unless it has one, and
  /// then calls `on_claim` with it. Returns 0 if there is none: kMetrics other processes have one, or
  /// the kernel refuses the names.
  [[nodiscard]] std::uint32_t claim(const std::function<void(std::uint32_t metric)>& on_claim);

 private:
  std::mutex mutex_;
  io::Fd socket_;
  std::uint32_t metric_ = 0;
};

}  // namespace culvert::host
