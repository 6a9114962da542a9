// Tables: everything that the hot path looks packets up in. Immutable; published to the workers as
// one Snapshot. Any thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "engine/tables/tunnel.h"
#include "engine/tables/tunnel_selector.h"
#include "engine/tables/tunnel_table.h"
#include "io/vrf.h"

namespace culvert {

/// The rules of a device for ICMP errors, those that it sends and those that it receives.
struct IcmpRules {
  std::optional<proto::Ipv6Address> source{};  ///< Config::icmp_source
  std::uint16_t min_pmtu = 552;                ///< Config::min_pmtu; the default of Linux
};

/// What the tables know of this host.
struct HostFacts {
  OwnAddresses addresses{};                  ///< its IPv4 addresses, sorted
  std::vector<io::VrfMember> vrf_members{};  ///< of the VRFs that tunnels have as `dev`, sorted
  friend bool operator==(const HostFacts&, const HostFacts&) = default;
};

class Tables {
 public:
  /// `slots`: each tunnel at its own Tunnel::index.
  explicit Tables(TunnelSlots slots, HostFacts host = {}, const IcmpRules& icmp = {});
  /// Puts the tunnels into slots 0, 1, ... in order.
  explicit Tables(std::vector<Tunnel> tunnels);
  /// The tunnels of `other` with new facts of this host.
  Tables(const Tables& other, HostFacts host);
  Tables(const Tables&) = delete;
  Tables& operator=(const Tables&) = delete;

  /// All slots; null where a slot is free.
  [[nodiscard]] const TunnelSlots& slots() const noexcept { return tunnels_->slots; }
  /// The tunnel in a slot that is in use.
  [[nodiscard]] const Tunnel& tunnel(std::uint32_t slot) const noexcept {
    return *tunnels_->slots[slot];
  }
  /// The tunnel in a slot; null if the slot is free or does not exist.
  [[nodiscard]] const Tunnel* find(std::uint32_t slot) const noexcept {
    return slot < slots().size() ? slots()[slot].get() : nullptr;
  }
  /// One tunnel of each path: tunnels may share a path (PathTable).
  [[nodiscard]] const std::vector<const Tunnel*>& one_per_path() const noexcept {
    return tunnels_->one_per_path;
  }
  [[nodiscard]] const HostFacts& host() const noexcept { return host_; }
  [[nodiscard]] const OwnAddresses& own_addresses() const noexcept { return host_.addresses; }
  /// Returns whether packets of a VRF arrive on this interface.
  [[nodiscard]] bool is_vrf_member(std::uint32_t vrf_index,
                                   std::uint32_t interface_index) const noexcept {
    return std::binary_search(host_.vrf_members.begin(), host_.vrf_members.end(),
                              io::VrfMember{vrf_index, interface_index});
  }
  [[nodiscard]] const TunnelSelector& selector() const noexcept { return tunnels_->selector; }
  [[nodiscard]] const IcmpRules& icmp() const noexcept { return icmp_; }

  /// TunnelTable::find() with this host's addresses.
  [[nodiscard]] const Tunnel* find(std::uint8_t ip_protocol, proto::Ipv4Address source,
                                   proto::Ipv4Address destination,
                                   const proto::OptionalWord& key) const noexcept {
    return tunnels_->by_outer.find(ip_protocol, source, destination, key, host_.addresses);
  }
  /// TunnelTable::predict_slot().
  [[nodiscard]] std::optional<std::uint32_t> predict_slot(
      std::uint8_t ip_protocol, proto::Ipv4Address source, proto::Ipv4Address destination,
      const proto::OptionalWord& key) const noexcept {
    return tunnels_->by_outer.predict_slot(ip_protocol, source, destination, key);
  }
  [[nodiscard]] const Tunnel* find_sender(std::uint8_t ip_protocol, proto::Ipv4Address source,
                                          proto::Ipv4Address destination,
                                          std::optional<proto::OptionalWord> key) const noexcept {
    return tunnels_->by_outer.find_sender(ip_protocol, source, destination, key, host_.addresses);
  }

 private:
  /// Shared by successive Tables if only facts of this host change.
  struct Tunnels {
    explicit Tunnels(TunnelSlots all);
    TunnelSlots slots;
    TunnelTable by_outer;
    TunnelSelector selector;
    std::vector<const Tunnel*> one_per_path;
  };

  std::shared_ptr<const Tunnels> tunnels_;
  HostFacts host_;
  IcmpRules icmp_;
};

}  // namespace culvert
