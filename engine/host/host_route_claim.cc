#include "engine/host/host_route_claim.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>
#include <string>
#include <utility>

namespace culvert::host {

std::uint32_t HostRouteClaim::claim(const std::function<void(std::uint32_t metric)>& on_claim) {
  const std::lock_guard lock{mutex_};
  if (metric_ != 0) return metric_;
  io::Fd socket{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  for (std::uint32_t metric = kFirstMetric; metric < kFirstMetric + kMetrics; ++metric) {
    const std::string name = "culvert/host-routes/" + std::to_string(metric);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    name.copy(address.sun_path + 1, sizeof address.sun_path - 1);
    const auto bytes = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
    if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), bytes) != 0) continue;
    socket_ = std::move(socket);
    metric_ = metric;
    on_claim(metric);
    break;
  }
  return metric_;
}

}  // namespace culvert::host
