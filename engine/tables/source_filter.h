// Which inner sources a tunnel may bring in: `accept`, or else its prefixes and link-local
// addresses. A walk over a few prefixes, a table for many.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "engine/config.h"
#include "engine/model/inner_packet.h"
#include "engine/tables/lpm_table.h"

namespace culvert {

struct Tunnel;

/// Of a tunnel with more prefixes than are walked over.
struct SourceTables {
  LpmTable<bool> ipv6;
  LpmTable<bool, proto::Ipv4Address> ipv4;
};
inline constexpr std::size_t kWalkedPrefixes = 8;

/// Null: they are few enough.
[[nodiscard]] std::shared_ptr<const SourceTables> make_source_tables(const TunnelConfig& config);

/// `bytes`: the packet from which `inner` was parsed. Without `accept` and prefixes: every source.
/// Without `accept` also link-local ones, and :: of duplicate address detection (RFC 4862 5.4.2).
[[nodiscard]] bool accepts_source(const Tunnel& tunnel, const InnerPacket& inner,
                                  std::span<const std::byte> bytes) noexcept;

}  // namespace culvert
