// Outer addresses and key to tunnel. Immutable after construction: any thread reads it.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "engine/tunnel.h"

namespace culvert {

class TunnelTable {
 public:
  TunnelTable() = default;
  /// The tunnels are the caller's and must outlive the table.
  explicit TunnelTable(const std::vector<Tunnel>& tunnels);

  /// The tunnel that an outer packet belongs to: its protocol, its source as the remote endpoint,
  /// its key (no key and key 0 differ: RFC 2890 2.1), and its destination as the local endpoint.
  /// Null: none of ours.
  [[nodiscard]] const Tunnel* find(std::uint8_t ip_protocol, proto::Ipv4Address source,
                                   proto::Ipv4Address destination,
                                   const proto::OptionalWord& key) const noexcept;

  /// The tunnel that sent an outer packet which an ICMP error quotes. `key`: as far as it is
  /// quoted; nothing matches any.
  [[nodiscard]] const Tunnel* find_sender(std::uint8_t ip_protocol, proto::Ipv4Address source,
                                          proto::Ipv4Address destination,
                                          std::optional<std::uint32_t> key) const noexcept;

 private:
  std::vector<const Tunnel*> tunnels_;
};

}  // namespace culvert
