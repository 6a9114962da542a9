#include "engine/tables/route_table.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <tuple>
#include <utility>

#include "proto/byte_order.h"
#include "proto/tcp_fields.h"

namespace culvert {
namespace {

using proto::Ipv4Address;
using proto::Ipv4Prefix;
using proto::Ipv6Address;
using proto::Ipv6Prefix;

std::uint64_t hash_of(Ipv4Address address) noexcept {
  return detail::spread(detail::bits_of(address));
}

/// The IPv4 address in the low 32 bits of a tunnel endpoint's link-local address, fe80::/96 (RFC
/// 4213 3.7).
std::optional<Ipv4Address> endpoint_of(const Ipv6Address& address) noexcept {
  const auto bits = detail::bits_of(address);
  if (bits.high != 0xfe80'0000'0000'0000 || bits.low >> 32 != 0) return std::nullopt;
  return Ipv4Address::from_host(static_cast<std::uint32_t>(bits.low));
}

/// Weighted rendezvous hashing: the member with the smallest distance carries the flow. Each member
/// gets its share by weight, and removing a member moves only its own flows.
double distance(std::uint64_t hash, std::uint64_t seed, std::uint32_t weight) noexcept {
  const std::uint64_t mixed = detail::spread({hash, seed});
  const double uniform = (static_cast<double>(mixed >> 11) + 0.5) * 0x1p-53;  // within (0, 1)
  return -std::log(uniform) / weight;
}

}  // namespace

std::uint64_t route_hash(const PacketMeta& meta, std::span<const std::byte> bytes) noexcept {
  const auto ip = meta.ip_bytes(bytes);
  std::uint64_t hash;
  if (meta.is_ipv6()) {
    hash = detail::spread(detail::bits_of(proto::ipv6_source(ip))) ^
           detail::spread(detail::bits_of(proto::ipv6_destination(ip))) * 3;
  } else {
    // Both addresses in one load.
    hash = detail::spread({proto::load<proto::Be64>(ip, proto::kIpv4SourceOffset).host(), 0});
  }
  if (meta.is_fragment()) return hash;
  const bool is_tcp_or_udp =
      meta.upper_protocol == proto::kProtocolTcp || meta.upper_protocol == proto::kProtocolUdp;
  const std::uint64_t ports = is_tcp_or_udp ? meta.ports : 0;
  return detail::spread({hash, ports << 8 | meta.upper_protocol});
}

RouteTable::RouteTable(const TunnelSlots& tunnels) : tunnels_(tunnels) {
  std::vector<Entry<Ipv6Prefix>> prefixes6;
  std::vector<Entry<Ipv4Prefix>> prefixes4;
  for (std::uint32_t i = 0; i < tunnels.size(); ++i) {
    if (!tunnels[i]) continue;
    const TunnelConfig& config = tunnels[i]->config;
    for (const auto& prefix : config.prefixes6) prefixes6.push_back({prefix, i});
    for (const auto& prefix : config.prefixes4) prefixes4.push_back({prefix, i});
    if (!config.is_catch_all()) continue;
    prefixes6.push_back({{}, i});
    prefixes4.push_back({{}, i});
  }
  by_ipv6_ = build<Ipv6Address>(prefixes6);
  by_ipv4_ = build<Ipv4Address>(prefixes4);
  build_link_local();
}

template <class Address>
LpmTable<TunnelChoice, Address> RouteTable::build(
    std::vector<Entry<proto::WithLength<Address>>>& entries) {
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
    return std::tie(a.prefix, a.tunnel) < std::tie(b.prefix, b.tunnel);
  });
  std::vector<typename LpmTable<TunnelChoice, Address>::Entry> choices;
  std::vector<std::uint32_t> tunnels;
  for (std::size_t i = 0; i < entries.size();) {
    tunnels.clear();
    const auto& prefix = entries[i].prefix;
    for (; i < entries.size() && entries[i].prefix == prefix; ++i)
      if (tunnels.empty() || tunnels.back() != entries[i].tunnel)
        tunnels.push_back(entries[i].tunnel);
    choices.emplace_back(prefix, choice_of(tunnels));
  }
  return LpmTable<TunnelChoice, Address>(choices);
}

void RouteTable::build_link_local() {
  std::vector<std::pair<Ipv4Address, std::uint32_t>> remotes;
  for (std::uint32_t i = 0; i < tunnels_.size(); ++i) {
    if (!tunnels_[i] || !tunnels_[i]->config.remote.is_fixed()) continue;
    remotes.emplace_back(tunnels_[i]->config.remote.address(), i);
  }
  std::sort(remotes.begin(), remotes.end());
  std::vector<std::uint32_t> tunnels;
  for (std::size_t i = 0; i < remotes.size();) {
    tunnels.clear();
    const auto remote = remotes[i].first;
    for (; i < remotes.size() && remotes[i].first == remote; ++i)
      tunnels.push_back(remotes[i].second);
    link_local_.push_back(choice_of(tunnels));
  }
  link_local_.shrink_to_fit();
  by_remote_ = IndexTable(link_local_.size());
  for (std::uint32_t i = 0; i < link_local_.size(); ++i)
    by_remote_.insert(hash_of(tunnels_[any_member(link_local_[i])]->config.remote.address()), i);
}

/// Makes a group only if at least two tunnels can carry packets.
TunnelChoice RouteTable::choice_of(std::span<const std::uint32_t> tunnels) {
  if (tunnels.size() == 1) return TunnelChoice::slot(tunnels.front());
  const auto metric_of = [&](std::uint32_t i) { return tunnels_[i]->config.metric.value_or(0); };
  std::optional<std::uint32_t> lowest;
  for (const std::uint32_t i : tunnels)
    if (tunnels_[i]->config.up && (!lowest || metric_of(i) < *lowest)) lowest = metric_of(i);
  if (!lowest) return TunnelChoice::slot(tunnels.front());
  Group group{.first = static_cast<std::uint32_t>(members_.size())};
  for (const std::uint32_t i : tunnels) {
    const TunnelConfig& config = tunnels_[i]->config;
    if (!config.up || metric_of(i) != *lowest) continue;
    members_.push_back({.tunnel = i,
                        .weight = config.weight.value_or(1),
                        .seed = std::hash<std::string>{}(config.name)});
    ++group.count;
  }
  if (group.count == 1) {
    const std::uint32_t only = members_.back().tunnel;
    members_.pop_back();
    return TunnelChoice::slot(only);
  }
  groups_.push_back(group);
  return TunnelChoice::group(static_cast<std::uint32_t>(groups_.size() - 1));
}

/// The slot of the group's member that carries the flow.
std::uint32_t RouteTable::member_for(TunnelChoice group, std::uint64_t hash) const noexcept {
  const auto& [first, count] = groups_[group.index()];
  std::uint32_t tunnel = members_[first].tunnel;
  double best = INFINITY;
  for (const Member& member : std::span{members_}.subspan(first, count)) {
    const double member_distance = distance(hash, member.seed, member.weight);
    if (member_distance >= best) continue;
    best = member_distance;
    tunnel = member.tunnel;
  }
  return tunnel;
}

const TunnelChoice* RouteTable::find_ipv6(const Ipv6Address& destination) const noexcept {
  if (const auto endpoint = endpoint_of(destination)) {
    const auto i = by_remote_.find(hash_of(*endpoint), [&](std::uint32_t index) {
      return tunnels_[any_member(link_local_[index])]->config.remote == *endpoint;
    });
    // A configured /128 prefix for exactly this address takes precedence.
    const TunnelChoice* exact = by_ipv6_.find_exact({destination, 128});
    if (i && exact == nullptr) return &link_local_[*i];
  }
  return by_ipv6_.find(destination);
}

RouteTable::Route RouteTable::find(const Ipv6Address& destination,
                                   std::uint64_t hash) const noexcept {
  const TunnelChoice* choice = find_ipv6(destination);
  if (choice == nullptr) return {};
  return route_to(choice->is_group() ? member_for(*choice, hash) : choice->index());
}

TunnelChoice RouteTable::choose(const PacketMeta& meta,
                                std::span<const std::byte> bytes) const noexcept {
  if (!meta.has_ip_header()) return TunnelChoice::none();
  const auto ip = meta.ip_bytes(bytes);
  const TunnelChoice* choice = meta.is_ipv6() ? find_ipv6(proto::ipv6_destination(ip))
                                              : by_ipv4_.find(proto::ipv4_destination(ip));
  return choice != nullptr ? *choice : TunnelChoice::none();
}

RouteTable::Route RouteTable::find(const PacketMeta& meta,
                                   std::span<const std::byte> bytes) const noexcept {
  return resolve(choose(meta, bytes), meta, bytes);
}

}  // namespace culvert
