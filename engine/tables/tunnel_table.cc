#include "engine/tables/tunnel_table.h"

#include <algorithm>

#include "engine/tables/lpm_table.h"

namespace culvert {
namespace {

/// A key as one number, which is copied in one piece (proto/in_place.h). 0: no key.
template <class Key>
std::uint64_t word_of(const Key& key) noexcept {
  return key ? std::uint64_t{1} << 32 | *key : 0;
}

std::uint64_t key_in(const Tunnel& tunnel) noexcept {
  return dispatch(tunnel.config.mode, [](auto encapsulation, const auto& parameters) {
    return word_of(encapsulation.key_in(parameters));
  });
}

std::uint64_t key_out(const Tunnel& tunnel) noexcept {
  return dispatch(tunnel.config.mode, [](auto encapsulation, const auto& parameters) {
    return word_of(encapsulation.key_out(parameters));
  });
}

/// Returns whether `address` can be the local endpoint of a tunnel with `local any`.
bool is_local_endpoint(const Tunnel& tunnel, proto::Ipv4Address address,
                       const OwnAddresses& own) noexcept {
  return tunnel.path->local.load(std::memory_order_relaxed) == address || contains(own, address);
}

}  // namespace

bool contains(const OwnAddresses& own, proto::Ipv4Address address) noexcept {
  return std::binary_search(own.begin(), own.end(), address);
}

TunnelTable::TunnelTable(const TunnelSlots& tunnels) : tunnels_(tunnels) {
  std::size_t entries = 0;
  for (const auto& tunnel : tunnels)
    if (tunnel) for_each_demux_rule(tunnel->config.mode, [&](const auto&) { ++entries; });
  by_key_in_ = by_key_out_ = by_endpoints_ = IndexTable{entries};
  for (std::uint32_t i = 0; i < tunnels.size(); ++i) {
    if (!tunnels[i]) continue;
    const Tunnel& tunnel = *tunnels[i];
    for_each_demux_rule(tunnel.config.mode,
                        [&](const proto::DemuxRule& rule) { insert(i, rule.ip_protocol); });
    const bool has_local = tunnel.config.local.has_value();
    const bool has_remote = tunnel.config.remote.is_fixed();
    wildcards_.local_any |= has_remote && !has_local;
    wildcards_.remote_any |= has_local && !has_remote;
    wildcards_.both_any |= !has_local && !has_remote;
  }
}

void TunnelTable::insert(std::uint32_t slot, std::uint8_t ip_protocol) {
  const Tunnel& tunnel = *tunnels_[slot];
  Endpoints endpoints{.remote = tunnel.config.remote.address_or({}),
                      .local = tunnel.config.local.value_or(proto::Ipv4Address{}),
                      .ip_protocol = ip_protocol,
                      .key = key_in(tunnel)};
  by_key_in_.insert(hash_of(endpoints), slot);
  endpoints.key = key_out(tunnel);
  by_key_out_.insert(hash_of(endpoints), slot);
  endpoints.key = 0;
  endpoints.matches_any_key = true;
  if (look_up(by_endpoints_, key_out, endpoints) == nullptr)
    by_endpoints_.insert(hash_of(endpoints), slot);
}

const Tunnel* TunnelTable::look_up(const IndexTable& table, KeyOf key_of,
                                   const Endpoints& endpoints) const noexcept {
  const auto index = table.find(hash_of(endpoints), [&](std::uint32_t i) {
    const Tunnel& tunnel = *tunnels_[i];
    return tunnel.config.remote.address_or({}) == endpoints.remote &&
           tunnel.has_ip_protocol(endpoints.ip_protocol) &&
           tunnel.config.local.value_or(proto::Ipv4Address{}) == endpoints.local &&
           (endpoints.matches_any_key || key_of(tunnel) == endpoints.key);
  });
  return index ? tunnels_[*index].get() : nullptr;
}

const Tunnel* TunnelTable::look_up_with_any(const IndexTable& table, KeyOf key_of,
                                            const Endpoints& endpoints,
                                            const OwnAddresses& own) const noexcept {
  if (const Tunnel* exact = look_up(table, key_of, endpoints)) return exact;
  const auto look_up_any = [&](bool exists, bool local, bool remote) -> const Tunnel* {
    if (!exists) return nullptr;
    Endpoints any = endpoints;
    if (local) any.local = {};
    if (remote) any.remote = {};
    const Tunnel* tunnel = look_up(table, key_of, any);
    return tunnel == nullptr || !local || is_local_endpoint(*tunnel, endpoints.local, own)
               ? tunnel
               : nullptr;
  };
  if (const Tunnel* found = look_up_any(wildcards_.local_any, true, false)) return found;
  if (const Tunnel* found = look_up_any(wildcards_.remote_any, false, true)) return found;
  return look_up_any(wildcards_.both_any, true, true);
}

const Tunnel* TunnelTable::find(std::uint8_t ip_protocol, proto::Ipv4Address source,
                                proto::Ipv4Address destination, const proto::OptionalWord& key,
                                const OwnAddresses& own) const noexcept {
  // 0.0.0.0 in a packet must not match `any`.
  if (source.is_unspecified() || destination.is_unspecified()) return nullptr;
  Endpoints endpoints{
      .remote = source, .local = destination, .ip_protocol = ip_protocol, .key = word_of(key)};
  return look_up_with_any(by_key_in_, key_in, endpoints, own);
}

std::optional<std::uint32_t> TunnelTable::predict_slot(
    std::uint8_t ip_protocol, proto::Ipv4Address source, proto::Ipv4Address destination,
    const proto::OptionalWord& key) const noexcept {
  const auto any = [](std::uint32_t) { return true; };
  Endpoints endpoints{
      .remote = source, .local = destination, .ip_protocol = ip_protocol, .key = word_of(key)};
  if (const auto slot = by_key_in_.find(hash_of(endpoints), any)) return slot;
  if (!wildcards_.local_any) return std::nullopt;
  endpoints.local = {};
  return by_key_in_.find(hash_of(endpoints), any);
}

const Tunnel* TunnelTable::find_sender(std::uint8_t ip_protocol, proto::Ipv4Address source,
                                       proto::Ipv4Address destination,
                                       std::optional<proto::OptionalWord> key,
                                       const OwnAddresses& own) const noexcept {
  if (source.is_unspecified() || destination.is_unspecified()) return nullptr;
  Endpoints endpoints{
      .remote = destination, .local = source, .ip_protocol = ip_protocol, .matches_any_key = !key};
  if (key) endpoints.key = word_of(*key);
  return look_up_with_any(key ? by_key_out_ : by_endpoints_, key_out, endpoints, own);
}

}  // namespace culvert
