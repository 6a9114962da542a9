// Source filter of a tunnel: the inner sources that it may deliver. These are the `accept`
// prefixes, or else the tunnel's own prefixes and link-local addresses. Few prefixes are compared
// one by one; many are looked up in an LPM table.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "engine/config.h"
#include "engine/model/packet_meta.h"
#include "engine/tables/lpm_table.h"

namespace culvert {

struct Tunnel;

/// LPM tables for a tunnel with more than kMaxLinearPrefixes prefixes.
struct SourceTables {
  LpmTable<bool> ipv6;
  LpmTable<bool, proto::Ipv4Address> ipv4;
};
inline constexpr std::size_t kMaxLinearPrefixes = 8;

/// Returns the tables, or null if the tunnel has at most kMaxLinearPrefixes prefixes per IP
/// version.
[[nodiscard]] std::shared_ptr<const SourceTables> make_source_tables(const TunnelConfig& config);

/// Returns whether the tunnel may deliver a packet with this inner source. `bytes`: the packet that
/// `meta` describes. A tunnel with neither `accept` nor prefixes accepts every source. A
/// tunnel without `accept` also accepts link-local sources, and :: of duplicate address detection
/// (RFC 4862 5.4.2).
[[nodiscard]] bool accepts_source(const Tunnel& tunnel, const PacketMeta& meta,
                                  std::span<const std::byte> bytes) noexcept;

}  // namespace culvert
