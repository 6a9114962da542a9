// What a packet is looked up in: immutable, handed to the workers as one snapshot.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "engine/tables/route_table.h"
#include "engine/tables/tunnel.h"
#include "engine/tables/tunnel_table.h"

namespace culvert {

class Tables {
 public:
  /// Each tunnel in its slot, in which its index names it. `own`: sorted. `icmp_source`:
  /// Config::icmp_source.
  explicit Tables(TunnelSlots slots, OwnAddresses own = {},
                  std::optional<proto::Ipv6Address> icmp_source = {});
  /// Tunnels that are there from 0 on.
  explicit Tables(std::vector<Tunnel> tunnels);
  /// The tunnels of `other`, and other addresses of this host.
  Tables(const Tables& other, OwnAddresses own);
  Tables(const Tables&) = delete;
  Tables& operator=(const Tables&) = delete;

  /// By slot; null where one is free.
  [[nodiscard]] const TunnelSlots& slots() const noexcept { return tunnels_->slots; }
  /// Of a slot that is in use.
  [[nodiscard]] const Tunnel& tunnel(std::uint32_t slot) const noexcept {
    return *tunnels_->slots[slot];
  }
  /// Null if it is free, or no slot of these tables.
  [[nodiscard]] const Tunnel* find(std::uint32_t slot) const noexcept {
    return slot < slots().size() ? slots()[slot].get() : nullptr;
  }
  [[nodiscard]] const OwnAddresses& own_addresses() const noexcept { return own_; }
  [[nodiscard]] const RouteTable& routes() const noexcept { return tunnels_->routes; }
  [[nodiscard]] const std::optional<proto::Ipv6Address>& icmp_source() const noexcept {
    return icmp_source_;
  }

  /// TunnelTable::find() and find_sender(), with this host's addresses.
  [[nodiscard]] const Tunnel* find(std::uint8_t ip_protocol, proto::Ipv4Address source,
                                   proto::Ipv4Address destination,
                                   const proto::OptionalWord& key) const noexcept {
    return tunnels_->by_outer.find(ip_protocol, source, destination, key, own_);
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
    return tunnels_->by_outer.find_sender(ip_protocol, source, destination, key, own_);
  }

 private:
  /// Kept when only an address of this host changes.
  struct Tunnels {
    explicit Tunnels(TunnelSlots all);
    TunnelSlots slots;
    TunnelTable by_outer;
    RouteTable routes;
  };

  std::shared_ptr<const Tunnels> tunnels_;
  OwnAddresses own_;
  std::optional<proto::Ipv6Address> icmp_source_;
};

}  // namespace culvert
