// RouteTable: longest-prefix match (LPM) from inner destination to tunnel. Tunnels with the same
// prefix form a group: the lowest metric among the tunnels that are up carries the packets, and
// tunnels with equal metric share the flows by weight. A flow always selects the same tunnel.
// Immutable after construction: any thread reads it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
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

/// The result of a look-up in the tables: a tunnel, or a group of tunnels that share the flows. Valid
/// for the tables that made it.
class TunnelChoice {
 public:
  constexpr TunnelChoice() = default;  ///< unknown: not looked up yet
  [[nodiscard]] static constexpr TunnelChoice none() noexcept { return TunnelChoice{kNone}; }
  [[nodiscard]] static constexpr TunnelChoice slot(std::uint32_t slot) noexcept {
    return TunnelChoice{slot};
  }
  [[nodiscard]] static constexpr TunnelChoice group(std::uint32_t index) noexcept {
    return TunnelChoice{kIsGroup | index};
  }

  [[nodiscard]] constexpr bool is_known() const noexcept { return value_ != kUnknown; }
  /// No tunnel carries the packet.
  [[nodiscard]] constexpr bool is_none() const noexcept { return value_ == kNone; }
  [[nodiscard]] constexpr bool is_group() const noexcept { return (value_ & kIsGroup) != 0; }
  /// The slot of a tunnel, or the index of a group.
  [[nodiscard]] constexpr std::uint32_t index() const noexcept { return value_ & ~kIsGroup; }

 private:
  static constexpr std::uint32_t kIsGroup = 0x8000'0000, kNone = 0xffff'fffe,
                                 kUnknown = 0xffff'ffff;
  explicit constexpr TunnelChoice(std::uint32_t value) noexcept : value_(value) {}

  std::uint32_t value_ = kUnknown;
};

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
  /// find() in two steps. The first looks the destination up; it reads a Tunnel only if that is
  /// link-local. Without an IP header there is no tunnel. The second selects the tunnel of a group; `choice`: known.
  [[nodiscard]] TunnelChoice choose(const PacketMeta& meta,
                                    std::span<const std::byte> bytes) const noexcept;
  [[nodiscard]] Route resolve(TunnelChoice choice, const PacketMeta& meta,
                              std::span<const std::byte> bytes) const noexcept {
    if (choice.is_none()) return {};
    if (choice.is_group()) return route_to(member_for(choice, route_hash(meta, bytes)));
    return route_to(choice.index());
  }
  /// The slot of a tunnel that resolve() may return, without reading any Tunnel; nullopt: none.
  [[nodiscard]] std::optional<std::uint32_t> slot_of(TunnelChoice choice) const noexcept {
    if (choice.is_none()) return std::nullopt;
    return any_member(choice);
  }

 private:
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
  [[nodiscard]] LpmTable<TunnelChoice, Address> build(
      std::vector<Entry<proto::WithLength<Address>>>& entries);
  void build_link_local();
  [[nodiscard]] TunnelChoice choice_of(std::span<const std::uint32_t> tunnels);
  [[nodiscard]] std::uint32_t member_for(TunnelChoice group, std::uint64_t hash) const noexcept;
  [[nodiscard]] Route route_to(std::uint32_t slot) const noexcept {
    const Tunnel* tunnel = tunnels_[slot].get();
    return {tunnel, tunnel->config.up};
  }
  [[nodiscard]] const TunnelChoice* find_ipv6(const proto::Ipv6Address& destination) const noexcept;
  [[nodiscard]] std::uint32_t any_member(TunnelChoice choice) const noexcept {
    return choice.is_group() ? members_[groups_[choice.index()].first].tunnel : choice.index();
  }

  const TunnelSlots& tunnels_;
  std::vector<Member> members_;
  std::vector<Group> groups_;
  LpmTable<TunnelChoice> by_ipv6_;
  LpmTable<TunnelChoice, proto::Ipv4Address> by_ipv4_;
  /// For the remote endpoints' link-local addresses (RFC 4213 3.7), by remote IPv4 address.
  std::vector<TunnelChoice> link_local_;
  IndexTable by_remote_;
};

}  // namespace culvert
