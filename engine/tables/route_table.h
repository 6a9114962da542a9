// Inner destination to tunnel, longest prefix first. Tunnels with the same prefix are a group:
// among those that are up the lowest metric takes the packets, and among equal ones each its share
// by weight, a flow always the same one. Immutable after construction: any thread reads it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <type_traits>
#include <vector>

#include "engine/model/inner_packet.h"
#include "engine/tables/index_table.h"
#include "engine/tables/lpm_table.h"
#include "engine/tables/tunnel.h"
#include "engine/tables/tunnel_table.h"

namespace culvert {

/// Of a flow that is no flow table's: addresses, protocol, and ports where they are in each packet.
/// Fragments of one packet have the same, for theirs are the addresses alone.
[[nodiscard]] std::uint64_t route_hash(const InnerPacket& inner,
                                       std::span<const std::byte> bytes) noexcept;

class RouteTable {
 public:
  /// The tunnels are the caller's and must outlive the table, in their place.
  explicit RouteTable(const TunnelSlots& tunnels);

  /// Where a packet goes. A prefix whose tunnels are all down gives the first of them.
  struct Route {
    const Tunnel* tunnel = nullptr;  ///< null: no tunnel has a prefix for it
    bool is_up = false;
  };
  /// `bytes`: the packet from which `inner` was parsed.
  [[nodiscard]] Route find(const InnerPacket& inner,
                           std::span<const std::byte> bytes) const noexcept;
  /// The same for an address alone, `hash` choosing where several tunnels share.
  [[nodiscard]] Route find(const proto::Ipv6Address& destination,
                           std::uint64_t hash = 0) const noexcept;
  /// The slot of a tunnel that has the longest prefix for an address, without a look at any tunnel:
  /// most likely what find() will find. Nothing: no guess.
  template <class Address>
  [[nodiscard]] std::optional<std::uint32_t> predict_slot(
      const Address& destination) const noexcept {
    const Choice* choice = nullptr;
    if constexpr (std::is_same_v<Address, proto::Ipv6Address>) {
      choice = by_ipv6_.find(destination);
    } else {
      choice = by_ipv4_.find(destination);
    }
    return choice != nullptr ? std::optional{any_of(*choice)} : std::nullopt;
  }

 private:
  /// A tunnel's index, or with this bit a group's.
  using Choice = std::uint32_t;
  static constexpr Choice kIsGroup = 0x8000'0000;

  struct Member {
    std::uint32_t tunnel = 0;
    std::uint32_t weight = 1;
    std::uint64_t seed = 0;  ///< of the tunnel's name, so that it keeps its flows as others come
                             ///< and go
  };
  /// Those that take packets now, side by side in members_; none: all are down.
  struct Group {
    std::uint32_t first = 0, count = 0;
  };
  template <class Prefix>
  struct Entry {
    Prefix prefix;
    std::uint32_t tunnel;
  };

  template <class Address>
  [[nodiscard]] LpmTable<Choice, Address> build(
      std::vector<Entry<proto::WithLength<Address>>>& entries);
  void build_link_local();
  [[nodiscard]] Choice choice_of(std::span<const std::uint32_t> tunnels);
  [[nodiscard]] Route resolve(Choice choice, std::uint64_t hash) const noexcept;
  [[nodiscard]] const Choice* find_ipv6(const proto::Ipv6Address& destination) const noexcept;
  [[nodiscard]] std::uint32_t any_of(Choice choice) const noexcept {
    return (choice & kIsGroup) != 0 ? members_[groups_[choice & ~kIsGroup].first].tunnel : choice;
  }

  const TunnelSlots& tunnels_;
  std::vector<Member> members_;
  std::vector<Group> groups_;
  LpmTable<Choice> by_ipv6_;
  LpmTable<Choice, proto::Ipv4Address> by_ipv4_;
  /// The other ends' link-local addresses (RFC 4213 3.7), by their remote.
  std::vector<Choice> link_local_;
  IndexTable by_remote_;
};

}  // namespace culvert
