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
      : learned_(entries, seed), ttl_(ttl) {}

  void set_ttl(std::chrono::milliseconds ttl) noexcept { ttl_ = ttl; }
  /// Replaces the addresses that the owner reported. `sorted` becomes the previous list, for the
  /// caller to free.
  void set_reported(std::vector<proto::Ipv6Address>& sorted) noexcept { reported_.swap(sorted); }

  /// Learns an address on the link, or refreshes it. A full set evicts the address that was not
  /// seen for longest.
  void add(const proto::Ipv6Address& address, Time now) noexcept {
    Time* last_seen = learned_.find(address);
    if (last_seen == nullptr) {
      if (!new_.allow({kNewPerSecond, kNewPerSecond}, now)) return;
      last_seen =
          learned_.add(address, [](Time other) { return other.time_since_epoch().count(); });
    }
    if (last_seen != nullptr) *last_seen = now;
  }
  [[nodiscard]] bool has(const proto::Ipv6Address& address, Time now) noexcept {
    const Time* last_seen = learned_.find(address);
    if (last_seen != nullptr && now - *last_seen < ttl_) return true;
    return std::binary_search(reported_.begin(), reported_.end(), address);
  }
  void forget_learned() noexcept { learned_.clear(); }

  [[nodiscard]] std::size_t count(Time now) const noexcept {
    std::size_t count = reported_.size();
    for (const auto& entry : learned_.entries()) {
      const bool is_reported =
          std::binary_search(reported_.begin(), reported_.end(), entry.address);
      if (entry.is_used && !is_reported && now - entry.value < ttl_) ++count;
    }
    return count;
  }

 private:
  AddressTable<Time> learned_;  ///< time of the last message from the address
  std::vector<proto::Ipv6Address> reported_;
  std::chrono::milliseconds ttl_;
  TokenBucket new_;
};

}  // namespace culvert
