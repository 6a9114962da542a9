// NdpNeighbors: which addresses live on the link that solicitations come from, so that nobody is
// answered for them (RFC 4862 5.4.3: it would take a host's own address from it). Told by the
// owner, or seen, in fixed memory. One thread.
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
  /// New ones that are taken note of in a second, so that who makes up addresses cannot make it
  /// forget all others in a moment.
  static constexpr std::uint32_t kNewPerSecond = 64;

  NdpNeighbors(std::size_t entries, std::chrono::milliseconds ttl, std::uint64_t seed)
      : seen_(entries, seed), ttl_(ttl) {}

  void set_ttl(std::chrono::milliseconds ttl) noexcept { ttl_ = ttl; }
  /// Replaces what was told before. `sorted` is what the caller gets back to free.
  void set_configured(std::vector<proto::Ipv6Address>& sorted) noexcept {
    configured_.swap(sorted);
  }

  /// An address was seen on the link. The one not seen for longest gives way.
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
  AddressTable<Time> seen_;  ///< when last
  std::vector<proto::Ipv6Address> configured_;
  std::chrono::milliseconds ttl_;
  TokenBucket new_;
};

}  // namespace culvert
