#include "engine/tables/source_filter.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "engine/tables/tunnel.h"
#include "proto/tcp_fields.h"

namespace culvert {
namespace {

template <class Address>
LpmTable<bool, Address> table_of(const std::vector<proto::WithLength<Address>>& prefixes) {
  std::vector<typename LpmTable<bool, Address>::Entry> entries;
  if (prefixes.size() > kMaxLinearPrefixes)
    for (const auto& prefix : prefixes) entries.emplace_back(prefix, true);
  return LpmTable<bool, Address>(entries);
}

template <class Address>
bool any_contains(const std::vector<proto::WithLength<Address>>& prefixes,
                  const LpmTable<bool, Address>* table, const Address& source) noexcept {
  if (table != nullptr && prefixes.size() > kMaxLinearPrefixes)
    return table->find(source) != nullptr;
  const auto bits = detail::bits_of(source);
  return std::any_of(prefixes.begin(), prefixes.end(), [&](const auto& prefix) {
    const auto mask = detail::mask_of(prefix.length_bits);
    return (bits & mask) == (detail::bits_of(prefix.address) & mask);
  });
}

}  // namespace

std::shared_ptr<const SourceTables> make_source_tables(const TunnelConfig& config) {
  const auto& ipv6 = config.accept6 ? *config.accept6 : config.prefixes6;
  const auto& ipv4 = config.accept4 ? *config.accept4 : config.prefixes4;
  if (ipv6.size() <= kMaxLinearPrefixes && ipv4.size() <= kMaxLinearPrefixes) return nullptr;
  return std::make_shared<const SourceTables>(SourceTables{table_of(ipv6), table_of(ipv4)});
}

bool accepts_source(const Tunnel& tunnel, const PacketMeta& meta,
                    std::span<const std::byte> bytes) noexcept {
  const TunnelConfig& config = tunnel.config;
  const SourceTables* tables = tunnel.sources.get();
  if (meta.is_ipv6()) {
    const auto source = proto::ipv6_source(meta.ip_bytes(bytes));
    if (!config.accept6 &&
        (config.is_catch_all() || source.is_link_local() || source.is_unspecified()))
      return true;
    return any_contains(config.accept6 ? *config.accept6 : config.prefixes6,
                        tables != nullptr ? &tables->ipv6 : nullptr, source);
  }
  if (!config.accept4 && config.is_catch_all()) return true;
  return any_contains(config.accept4 ? *config.accept4 : config.prefixes4,
                      tables != nullptr ? &tables->ipv4 : nullptr,
                      proto::ipv4_source(meta.ip_bytes(bytes)));
}

}  // namespace culvert
