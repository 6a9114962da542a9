#include "tools/culvert/daemon/tunnel_claims.h"

#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <tuple>

namespace culvert::program {
namespace {

using Json = nlohmann::ordered_json;
using proto::Ipv4Address;

std::string to_text(const Ipv4Address& local) {
  return local.is_unspecified() ? "any" : local.to_text();
}

std::optional<TunnelClaim> read_claim(const Json& json) {
  constexpr std::size_t kFields = 7;
  if (!json.is_array() || json.size() != kFields || !json[0].is_number_unsigned())
    return std::nullopt;
  if (!json[1].is_null() && !json[1].is_number_unsigned()) return std::nullopt;
  for (std::size_t i = 2; i < kFields; ++i)
    if (!json[i].is_string()) return std::nullopt;
  const auto remote = Ipv4Address::from_text(json[2].get<std::string>());
  if (!remote) return std::nullopt;
  const auto local = Ipv4Address::from_text(json[3].get<std::string>());  // empty for "any"
  TunnelClaim claim{.outer = {.ip_protocol = json[0].get<std::uint8_t>(),
                              .remote = *remote,
                              .local = local.value_or(Ipv4Address{})},
                    .dev = json[4],
                    .device = json[5],
                    .tunnel = json[6]};
  if (!json[1].is_null()) claim.outer.key = json[1].get<std::uint32_t>();
  return claim;
}

/// What must be equal for two claims to overlap.
auto order_of(const TunnelClaim& claim) {
  return std::tuple{claim.outer.ip_protocol, claim.outer.key, claim.outer.remote};
}

bool overlaps(const TunnelClaim& one, const TunnelClaim& other) {
  const Ipv4Address &a = one.outer.local, &b = other.outer.local;
  const bool same_local = a.is_unspecified() || b.is_unspecified() || a == b;
  return same_local && (one.dev.empty() || other.dev.empty() || one.dev == other.dev);
}

}  // namespace

std::vector<TunnelClaim> tunnel_claims(const Config& config) {
  std::vector<TunnelClaim> claims;
  for (const TunnelConfig& tunnel : config.tunnels) {
    if (!tunnel.remote.is_fixed()) continue;
    for_each_outer_claim(tunnel, [&](const OuterClaim& outer) {
      claims.push_back({outer, tunnel.dev, config.device, tunnel.name});
    });
  }
  return claims;
}

std::string claims_json(std::span<const TunnelClaim> claims) {
  Json list = Json::array();
  for (const TunnelClaim& each : claims) {
    const Json key = each.outer.key ? Json(*each.outer.key) : Json(nullptr);
    list.push_back(Json::array({each.outer.ip_protocol, key, each.outer.remote.to_text(),
                                to_text(each.outer.local), each.dev, each.device, each.tunnel}));
  }
  return Json{{"claims", std::move(list)}}.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::vector<TunnelClaim> read_claims(std::string_view answer) {
  std::vector<TunnelClaim> claims;
  const Json json = Json::parse(answer, nullptr, false);
  if (!json.is_object() || !json.contains("claims") || !json["claims"].is_array()) return claims;
  for (const Json& each : json["claims"])
    if (auto claim = read_claim(each)) claims.push_back(std::move(*claim));
  return claims;
}

std::vector<SharedClaim> find_shared(std::span<const TunnelClaim> own,
                                     std::span<const TunnelClaim> others) {
  std::vector<const TunnelClaim*> sorted;
  sorted.reserve(others.size());
  for (const TunnelClaim& each : others) sorted.push_back(&each);
  const auto is_less = [](const TunnelClaim* a, const TunnelClaim* b) {
    return order_of(*a) < order_of(*b);
  };
  std::sort(sorted.begin(), sorted.end(), is_less);
  std::vector<SharedClaim> shared;
  for (const TunnelClaim& each : own) {
    const auto [first, last] = std::equal_range(sorted.begin(), sorted.end(), &each, is_less);
    for (auto other = first; other != last; ++other)
      if (overlaps(each, **other)) shared.emplace_back(&each, *other);
  }
  return shared;
}

}  // namespace culvert::program
