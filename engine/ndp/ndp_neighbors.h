// NdpNeighbors: evidence that an address is in use on the link from which solicitations arrive, with
// the link-layer address to ask there. The owner reports neighbors of the kernel, and the responder
// learns senders from their messages. It is evidence only: an entry may be stale, permanent, forged
// or another proxy's, so the responder asks there before it leaves a target to that neighbor (as
// RFC 4861 7.3 confirms a neighbor). Fixed memory; one thread.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "engine/model/token_bucket.h"
#include "engine/ndp/address_table.h"
#include "engine/ndp/ndp_proxy.h"
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
  /// Replaces the neighbors that the owner reported. `sorted` becomes the previous list, for the
  /// caller to free.
  void set_reported(std::vector<NdpNeighbor>& sorted) noexcept { reported_.swap(sorted); }

  /// Learns an address on the link, or refreshes it. A full set evicts the address that was not
  /// seen for longest.
  void add(const NdpNeighbor& neighbor, Time now) noexcept {
    Seen* seen = learned_.find(neighbor.address);
    if (seen == nullptr) {
      if (!new_.allow({kNewPerSecond, kNewPerSecond}, now)) return;
      seen = learned_.add(neighbor.address,
                          [](const Seen& other) { return other.last.time_since_epoch().count(); });
    }
    if (seen != nullptr) *seen = {.last = now, .link_layer = neighbor.link_layer};
  }
  /// Where to ask for an address; nullopt: nothing speaks for its being on the link.
  [[nodiscard]] std::optional<proto::EthernetAddress> find(const proto::Ipv6Address& address,
                                                           Time now) noexcept {
    const Seen* seen = learned_.find(address);
    if (seen != nullptr && now - seen->last < ttl_) return seen->link_layer;
    const NdpNeighbor* reported = find_reported(address);
    return reported != nullptr ? std::optional{reported->link_layer} : std::nullopt;
  }
  void forget_learned() noexcept { learned_.clear(); }

  [[nodiscard]] std::size_t count(Time now) const noexcept {
    std::size_t count = reported_.size();
    for (const auto& entry : learned_.entries()) {
      if (entry.is_used && now - entry.value.last < ttl_ && find_reported(entry.address) == nullptr)
        ++count;
    }
    return count;
  }

 private:
  struct Seen {
    Time last{};  ///< the last message from the address
    proto::EthernetAddress link_layer{};
  };
  [[nodiscard]] const NdpNeighbor* find_reported(const proto::Ipv6Address& address) const noexcept {
    const auto found = std::lower_bound(
        reported_.begin(), reported_.end(), address,
        [](const NdpNeighbor& each, const auto& wanted) { return each.address < wanted; });
    return found != reported_.end() && found->address == address ? &*found : nullptr;
  }

  AddressTable<Seen> learned_;
  std::vector<NdpNeighbor> reported_;
  std::chrono::milliseconds ttl_;
  TokenBucket new_;
};

}  // namespace culvert
