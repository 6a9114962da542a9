// NdpNeighbors: the addresses on the link from which solicitations arrive. The proxy must not
// answer for them: it would take a host's own address from it (RFC 4862 5.4.3). The owner reports
// addresses, and the responder learns them from received messages. Fixed memory; one thread.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <vector>

#include "engine/model/token_bucket.h"
#include "engine/ndp/address_table.h"
#include "engine/tables/tunnel.h"

namespace culvert {

class NdpNeighbors {
 public:
  /// Limit of new learned addresses per second: a sender of made-up addresses cannot evict all
  /// others at once.
  static constexpr std::uint32_t kNewPerSecond = 64;

  NdpNeighbors(std::size_t entries, std::chrono::milliseconds ttl, std::uint64_t seed)
      : seen_(entries, seed), ttl_(ttl) {}

  void set_ttl(std::chrono::milliseconds ttl) noexcept { ttl_ = ttl; }
  /// Replaces the addresses that the owner reported. `sorted` becomes the previous list, for the
  /// caller to free.
  void set_configured(std::vector<proto::Ipv6Address>& sorted) noexcept {
    configured_.swap(sorted);
  }

  /// Learns an address on the link, or refreshes it. A full set evicts the address that was not
  /// seen for longest.
  void add(const proto::Ipv6Address& address, Time now) noexcept {
    Time* seen = seen_.find(address);
    if (seen == nullptr) {
      if (!new_.allow({kNewPerSecond, kNewPerSecond}, now)) return;
      seen = seen_.add(address, [](Time other) { return other.time_since_epoch().count(); });
    }
    if (seen != nullptr) *seen = now;
  }
  [[nodiscard]] bool has(const proto::Ipv6Address& address, Time now) noexcept {
    const Time* seen = seen_.find(address);
    if (seen != nullptr && now - *seen < ttl_) return true;
    return std::binary_search(configured_.begin(), configured_.end(), address);
  }
  void forget_seen() noexcept { seen_.clear(); }

  [[nodiscard]] std::size_t count(Time now) const noexcept {
    std::size_t count = configured_.size();
    for (const auto& entry : seen_.entries()) {
      const bool is_configured =
          std::binary_search(configured_.begin(), configured_.end(), entry.address);
      if (entry.is_used && !is_configured && now - entry.value < ttl_) ++count;
    }
    return count;
  }

 private:
  AddressTable<Time> seen_;  ///< time of the last message from the address
  std::vector<proto::Ipv6Address> configured_;
  std::chrono::milliseconds ttl_;
  TokenBucket new_;
};

}  // namespace culvert
