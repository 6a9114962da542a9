#include "engine/model/config_conflict.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "engine/model/encapsulation_names.h"
#include "engine/model/encapsulations.h"
#include "engine/model/outer_claim.h"
#include "engine/model/quoted.h"

namespace culvert {
namespace {

using Tunnels = std::span<const TunnelConfig>;
using Found = std::optional<ConfigConflict>;

/// Sorts the keys of the tunnels and calls `report(first, second)` with the indices of the first
/// pair of tunnels that have a key in common. `add_keys(tunnel, add)`: calls `add` with each key.
template <class Key, class AddKeys, class Report>
Found find_pair(Tunnels tunnels, AddKeys add_keys, Report report) {
  std::vector<std::pair<Key, std::size_t>> order;
  order.reserve(tunnels.size());
  for (std::size_t i = 0; i < tunnels.size(); ++i)
    add_keys(tunnels[i], [&](const Key& key) { order.emplace_back(key, i); });
  std::sort(order.begin(), order.end());
  for (std::size_t i = 1; i < order.size(); ++i) {
    if (order[i - 1].first == order[i].first) return report(order[i - 1].second, order[i].second);
  }
  return std::nullopt;
}

Found find_same_name(Tunnels tunnels) {
  const auto nameless =
      std::find_if(tunnels.begin(), tunnels.end(),
                   [](const TunnelConfig& tunnel) { return tunnel.name.empty(); });
  if (nameless != tunnels.end()) {
    const auto index = static_cast<std::size_t>(nameless - tunnels.begin());
    return ConfigConflict{index, index,        "name",
                          "",    "is missing", "each of several tunnels needs a name of its own"};
  }
  const auto name = [](const TunnelConfig& tunnel, auto add) { add(tunnel.name); };
  return find_pair<std::string_view>(tunnels, name, [&](std::size_t first, std::size_t second) {
    return ConfigConflict{first,
                          second,
                          "name",
                          tunnels[second].name,
                          "is the name of another tunnel",
                          "give each a name of its own"};
  });
}

Found find_missing_prefix(Tunnels tunnels) {
  for (std::size_t i = 0; i < tunnels.size(); ++i) {
    if (!tunnels[i].prefixes6.empty() || !tunnels[i].prefixes4.empty()) continue;
    return ConfigConflict{i,
                          i,
                          "prefix",
                          "",
                          "is missing",
                          "beside other tunnels each needs the prefixes that are behind it"};
  }
  return std::nullopt;
}

std::string_view payload_name(proto::LinkType link_type) {
  return link_type == proto::LinkType::ethernet ? "Ethernet frames (a TAP device)"
                                                : "IP packets (a TUN device)";
}

Found find_other_link_type(Tunnels tunnels, LinkTypeOf link_type_of) {
  const auto expected = link_type_of(tunnels.front().mode);
  for (std::size_t i = 1; i < tunnels.size(); ++i) {
    const auto other = link_type_of(tunnels[i].mode);
    if (other == expected) continue;
    std::string problem{"carries "};
    problem.append(payload_name(other)).append(", and tunnel '").append(tunnels.front().name);
    problem.append("' carries ").append(payload_name(expected));
    return ConfigConflict{0,
                          i,
                          "mode",
                          std::string{encapsulation_name(tunnels[i].mode)},
                          std::move(problem),
                          "put them on different devices"};
  }
  return std::nullopt;
}

/// `any` beside an address is no conflict: the address is the better match.
Found find_same_outer(Tunnels tunnels) {
  const auto claims = [](const TunnelConfig& tunnel, auto add) {
    for_each_outer_claim(tunnel, add);
  };
  return find_pair<OuterClaim>(tunnels, claims, [&](std::size_t first, std::size_t second) {
    const TunnelConfig& tunnel = tunnels[second];
    return ConfigConflict{first,
                          second,
                          "remote",
                          tunnel.remote.to_text(),
                          "cannot be told apart on the wire from tunnel '" + tunnels[first].name +
                              "': mode, remote, local and key are the same",
                          "change local or remote of one of them, or in mode " +
                              alternatives(encapsulations_with_option("key")) + " its key"};
  });
}

bool has_precedence(const TunnelConfig& tunnel) { return tunnel.metric || tunnel.weight; }

template <class Prefix>
struct Owned {
  Prefix prefix;
  std::size_t index;
  friend constexpr auto operator<=>(const Owned&, const Owned&) = default;
};

/// One address family. If several tunnels have a prefix, all but one must have a metric or a
/// weight.
template <class Prefix>
Found find_same_prefix(Tunnels tunnels, std::vector<Prefix> TunnelConfig::*prefixes) {
  std::vector<Owned<Prefix>> all;
  for (std::size_t i = 0; i < tunnels.size(); ++i) {
    for (const Prefix& prefix : tunnels[i].*prefixes) all.push_back({prefix, i});
  }
  std::sort(all.begin(), all.end());
  const Owned<Prefix>* last_without = nullptr;  // the last entry without metric and weight
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto& [prefix, index] = all[i];
    if (i != 0 && all[i - 1] == all[i]) {
      return ConfigConflict{
          index, index, "prefix", prefix.to_text(), "is given twice", "remove one of them"};
    }
    if (has_precedence(tunnels[index])) continue;
    if (last_without != nullptr && last_without->prefix == prefix) {
      return ConfigConflict{
          last_without->index,
          index,
          "prefix",
          prefix.to_text(),
          "is a prefix of tunnel '" + tunnels[last_without->index].name + "' as well",
          "give the two a metric or a weight, or different prefixes"};
    }
    last_without = &all[i];
  }
  return std::nullopt;
}

}  // namespace

std::optional<ConfigConflict> find_conflict(std::span<const TunnelConfig> tunnels,
                                            LinkTypeOf link_type_of) {
  if (tunnels.size() > 1) {
    if (auto found = find_same_name(tunnels)) return found;
    if (auto found = find_other_link_type(tunnels, link_type_of)) return found;
    if (auto found = find_missing_prefix(tunnels)) return found;
    if (auto found = find_same_outer(tunnels)) return found;
  }
  if (auto found = find_same_prefix(tunnels, &TunnelConfig::prefixes6)) return found;
  return find_same_prefix(tunnels, &TunnelConfig::prefixes4);
}

}  // namespace culvert
