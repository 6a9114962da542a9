// RouteTable: longest-prefix match (LPM) from inner destination to tunnel. Tunnels with the same
// prefix form a group: the lowest metric among the tunnels that are up carries the packets, and
// tunnels with equal metric share the flows by weight. A flow always selects the same tunnel.
// Immutable after construction: any thread reads it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <type_traits>
#include <vector>

#include "engine/model/packet_meta.h"
#include "engine/tables/index_table.h"
#include "engine/tables/lpm_table.h"
#include "engine/tables/tunnel.h"
#include "engine/tables/tunnel_table.h"

namespace culvert {

/// Hash of a packet's flow, to select a tunnel of a group: addresses, protocol, and ports if every
/// packet has them. For a fragment only the addresses count, so all fragments of a packet have the
/// same hash.
[[nodiscard]] std::uint64_t route_hash(const PacketMeta& meta,
                                       std::span<const std::byte> bytes) noexcept;

class RouteTable {
 public:
  /// `tunnels` stays with the caller, unchanged, and must outlive the table.
  explicit RouteTable(const TunnelSlots& tunnels);

  /// The result of a look-up. If all tunnels of the prefix are down, `tunnel` is the first of them.
  struct Route {
    const Tunnel* tunnel = nullptr;  ///< null: no tunnel's prefix contains the destination
    bool is_up = false;
  };
  /// Looks up the destination of a packet. `bytes`: the packet that `meta` describes.
  [[nodiscard]] Route find(const PacketMeta& meta, std::span<const std::byte> bytes) const noexcept;
  /// Looks up an address. `hash` selects the tunnel if several share the prefix.
  [[nodiscard]] Route find(const proto::Ipv6Address& destination,
                           std::uint64_t hash = 0) const noexcept;
  /// Predicts the slot of the tunnel that find() will return, without reading any Tunnel: a tunnel
  /// with the longest prefix. nullopt: no prediction.
  template <class Address>
  [[nodiscard]] std::optional<std::uint32_t> predict_slot(
      const Address& destination) const noexcept {
    const Choice* choice = nullptr;
    if constexpr (std::is_same_v<Address, proto::Ipv6Address>) {
      choice = by_ipv6_.find(destination);
    } else {
      choice = by_ipv4_.find(destination);
    }
    return choice != nullptr ? std::optional{any_member(*choice)} : std::nullopt;
  }

 private:
  /// The index of a tunnel, or with the bit kIsGroup the index of a group.
  using Choice = std::uint32_t;
  static constexpr Choice kIsGroup = 0x8000'0000;

  struct Member {
    std::uint32_t tunnel = 0;
    std::uint32_t weight = 1;
    /// Hash of the tunnel's name: the tunnel keeps its flows when other tunnels are added or
    /// removed.
    std::uint64_t seed = 0;
  };
  /// The members that carry packets now, adjacent in members_. At least two: one member alone needs
  /// no group.
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
  [[nodiscard]] std::uint32_t any_member(Choice choice) const noexcept {
    return (choice & kIsGroup) != 0 ? members_[groups_[choice & ~kIsGroup].first].tunnel : choice;
  }

  const TunnelSlots& tunnels_;
  std::vector<Member> members_;
  std::vector<Group> groups_;
  LpmTable<Choice> by_ipv6_;
  LpmTable<Choice, proto::Ipv4Address> by_ipv4_;
  /// For the remote endpoints' link-local addresses (RFC 4213 3.7), by remote IPv4 address.
  std::vector<Choice> link_local_;
  IndexTable by_remote_;
};

}  // namespace culvert
