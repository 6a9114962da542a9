#include "engine/host/address_sync.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <iterator>
#include <thread>
#include <utility>

#include "io/sort_unique.h"

namespace culvert::host {
namespace {

using proto::Ipv4Address;
using proto::Ipv6Prefix;

template <class Prefix>
struct Candidate {
  Prefix prefix;
  bool is_tunnel = false;  ///< a tunnel's prefix; false: the device has an address or route for it
};

/// Returns the tunnel prefixes that no other candidate covers. The candidates are sorted by
/// address, then by length. So a covering prefix precedes the covered one, and every prefix between
/// the two is covered as well. The prefixes that cover the present one therefore form a stack.
template <class Prefix>
std::vector<Prefix> uncovered(std::vector<Candidate<Prefix>> candidates) {
  std::sort(candidates.begin(), candidates.end(), [](const auto& a, const auto& b) {
    return std::pair{a.prefix, a.is_tunnel} < std::pair{b.prefix, b.is_tunnel};
  });
  std::vector<Prefix> covers, result;
  for (const auto& [prefix, is_tunnel] : candidates) {
    while (!covers.empty() && !covers.back().contains(prefix.address)) covers.pop_back();
    if (is_tunnel && (!covers.empty() || prefix.length_bits == 0)) continue;
    if (is_tunnel) result.push_back(prefix);
    covers.push_back(prefix);
  }
  return result;
}

template <class Prefix>
std::vector<Prefix> routes_of(const std::vector<Prefix>& routes,
                              const std::vector<Prefix>& addresses,
                              const std::vector<TunnelConfig>& tunnels,
                              std::vector<Prefix> TunnelConfig::*prefixes) {
  std::vector<Candidate<Prefix>> candidates;
  for (const auto& route : routes) candidates.push_back({route, false});
  for (const auto& address : addresses) candidates.push_back({address.network(), false});
  for (const TunnelConfig& tunnel : tunnels) {
    for (const auto& prefix : tunnel.*prefixes) candidates.push_back({prefix, true});
  }
  std::vector<Prefix> all = uncovered(std::move(candidates));
  all.insert(all.end(), routes.begin(), routes.end());
  io::sort_unique(all);
  return all;
}

/// Calls `remove` for each element of `applied` that is not in `wanted`, then `add` for each
/// element of `wanted` that is not in `applied`. Stops at the first error. Afterwards `applied` has
/// the elements that the kernel has.
template <class T, class Remove, class Add>
Result<void> synchronize(std::vector<T>& applied, const std::vector<T>& wanted, Remove remove,
                         Add add) {
  std::vector<T> obsolete, missing;
  std::set_difference(applied.begin(), applied.end(), wanted.begin(), wanted.end(),
                      std::back_inserter(obsolete));
  std::set_difference(wanted.begin(), wanted.end(), applied.begin(), applied.end(),
                      std::back_inserter(missing));
  Result<void> done{};
  std::size_t removed = 0, added = 0;
  while (done && removed < obsolete.size()) {
    if (done = remove(obsolete[removed]); done) ++removed;
  }
  while (done && added < missing.size()) {
    if (done = add(missing[added]); done) ++added;
  }
  std::vector<T> kept;
  std::set_difference(applied.begin(), applied.end(), obsolete.begin(), obsolete.begin() + removed,
                      std::back_inserter(kept));
  kept.insert(kept.end(), missing.begin(), missing.begin() + added);
  std::sort(kept.begin(), kept.end());
  applied = std::move(kept);
  return done;
}

/// Removes from `applied` what is not in `found`, and appends it to `lost` as text.
template <class Prefix>
void forget_lost(std::vector<Prefix>& applied, const std::vector<Prefix>& found,
                 std::vector<std::string>& lost) {
  std::vector<Prefix> kept;
  for (const Prefix& each : applied) {
    if (std::binary_search(found.begin(), found.end(), each))
      kept.push_back(each);
    else
      lost.push_back(each.to_text());
  }
  applied = std::move(kept);
}

/// The first address of each network without a route. An IPv4 address of 32 bits has none. The
/// addresses are sorted, and were added in this order, so the first one is the kernel's primary one.
template <class Prefix>
std::vector<Prefix> without_network_route(const std::vector<Prefix>& addresses,
                                          const std::vector<Prefix>& routes) {
  std::vector<Prefix> lost;
  for (const Prefix& address : addresses) {
    const Prefix network = address.network();
    const bool has_network = std::is_same_v<Prefix, Ipv6Prefix> || address.length_bits < 32;
    const bool is_known = !lost.empty() && lost.back().network() == network;
    if (has_network && !is_known && !std::binary_search(routes.begin(), routes.end(), network))
      lost.push_back(address);
  }
  return lost;
}

/// The elements of both. Both are sorted.
template <class T>
std::vector<T> in_both(const std::vector<T>& a, const std::vector<T>& b) {
  std::vector<T> both;
  std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(both));
  return both;
}

/// Readings of the kernel's lists before an object that is in none of them counts as lost.
constexpr int kMostReadings = 4;

/// Whether all of `some` are in `all`. Both are sorted.
template <class T>
bool includes(const std::vector<T>& all, const std::vector<T>& some) {
  return std::includes(all.begin(), all.end(), some.begin(), some.end());
}

/// Adds the elements of `more` to `all`.
template <class T>
void merge(const std::vector<T>& more, std::vector<T>& all) {
  all.insert(all.end(), more.begin(), more.end());
  io::sort_unique(all);
}

/// Adds to `applied` the elements of `wanted` that are in `found`.
template <class Prefix>
void adopt(std::vector<Prefix>& applied, const std::vector<Prefix>& wanted,
           const std::vector<Prefix>& found) {
  merge(in_both(wanted, found), applied);
}

}  // namespace

bool carries_ipv6(const DeviceSettings& settings) {
  const auto& tunnels = settings.config.tunnels;
  return std::any_of(tunnels.begin(), tunnels.end(), [](const TunnelConfig& tunnel) {
    return carries(tunnel.mode, proto::kProtocolTypeIpv6);
  });
}

DeviceState desired_state(const DeviceSettings& settings, const std::vector<Ipv4Address>& locals) {
  DeviceState state{.addresses6 = settings.addresses6,
                    .addresses4 = settings.addresses4,
                    .routes6 = {},
                    .routes4 = {}};
  std::vector<Ipv4Address> distinct;
  if (carries_ipv6(settings)) distinct = locals;
  io::sort_unique(distinct);
  for (const Ipv4Address& local : distinct) {
    if (local.is_unspecified()) continue;
    const Ipv6Prefix link_local{proto::tunnel_link_local(local), 64};
    const bool is_configured = std::any_of(
        settings.addresses6.begin(), settings.addresses6.end(),
        [&](const Ipv6Prefix& address) { return address.address == link_local.address; });
    if (!is_configured) state.addresses6.push_back(link_local);
  }
  io::sort_unique(state.addresses6);
  io::sort_unique(state.addresses4);
  const auto& tunnels = settings.config.tunnels;
  state.routes6 = routes_of(settings.routes6, state.addresses6, tunnels, &TunnelConfig::prefixes6);
  state.routes4 = routes_of(settings.routes4, state.addresses4, tunnels, &TunnelConfig::prefixes4);
  state.routed6 = settings.routed6;
  state.routed4 = settings.routed4;
  io::sort_unique(state.routed6);
  io::sort_unique(state.routed4);
  return state;
}

AddressSync::~AddressSync() { static_cast<void>(set_unreachable_routes({})); }

Result<void> AddressSync::set_addresses(const DeviceState& wanted) {
  const auto remove = [&](const auto& address) {
    return netlink_.remove_address(device_index_, address);
  };
  const auto add = [&](const auto& address) {
    return netlink_.add_address(device_index_, address);
  };
  const auto add_awaited = [&](const Ipv6Prefix& address) {
    awaited_.push_back(address.address);
    return add(address);
  };
  if (auto done = synchronize(applied_.addresses6, wanted.addresses6, remove, add_awaited); !done)
    return done;
  // When an IPv4 address is removed, the kernel may remove the others of its subnet too
  // (promote_secondaries). So the remaining ones are added again.
  const auto before = applied_.addresses4;
  if (auto done = synchronize(applied_.addresses4, wanted.addresses4, remove, add); !done)
    return done;
  const bool lost_some = !std::includes(applied_.addresses4.begin(), applied_.addresses4.end(),
                                        before.begin(), before.end());
  for (std::size_t i = 0; lost_some && i < applied_.addresses4.size(); ++i) {
    const auto again = add(applied_.addresses4[i]);
    if (!again && again.error().code != EEXIST) return again;
  }
  return {};
}

Result<void> AddressSync::set_routes(const DeviceState& wanted) {
  const auto remove = [&](const auto& route) {
    return netlink_.remove_route(device_index_, route);
  };
  const auto add = [&](const auto& route) { return netlink_.add_route(device_index_, route); };
  if (auto done = synchronize(applied_.routes6, wanted.routes6, remove, add); !done) return done;
  if (auto done = synchronize(applied_.routes4, wanted.routes4, remove, add); !done) return done;
  return set_unreachable_routes(wanted);
}

Result<void> AddressSync::set_unreachable_routes(const DeviceState& wanted) {
  const auto remove = [&](const auto& route) { return netlink_.remove_unreachable_route(route); };
  const auto add = [&](const auto& route) { return netlink_.add_unreachable_route(route); };
  if (auto done = synchronize(applied_.routed6, wanted.routed6, remove, add); !done) return done;
  return synchronize(applied_.routed4, wanted.routed4, remove, add);
}

Result<void> AddressSync::forget_lost_unreachable(std::vector<std::string>& lost) {
  if (applied_.routed6.empty() && applied_.routed4.empty()) return {};
  auto found = netlink_.read_unreachable_routes();
  for (int readings = 1;
       found && readings < kMostReadings &&
       !(includes(found->routes6, applied_.routed6) && includes(found->routes4, applied_.routed4));
       ++readings) {
    const auto again = netlink_.read_unreachable_routes();
    if (!again) return Unexpected{again.error()};
    merge(again->routes6, found->routes6);
    merge(again->routes4, found->routes4);
  }
  if (!found) return Unexpected{found.error()};
  forget_lost(applied_.routed6, found->routes6, lost);
  forget_lost(applied_.routed4, found->routes4, lost);
  return {};
}

Result<void> AddressSync::bring_to(const DeviceState& wanted) {
  if (auto done = set_addresses(wanted); !done) return done;
  return set_routes(wanted);
}

Result<void> AddressSync::restore_network_routes(const netlink::DeviceFound& found,
                                                 std::vector<std::string>& restored) {
  const auto restore_each = [&](const auto& addresses) -> Result<void> {
    for (const auto& address : addresses) {
      if (auto done = netlink_.add_network_route(device_index_, address); !done) return done;
      restored.push_back(address.network().to_text());
    }
    return {};
  };
  auto done = restore_each(
      without_network_route(in_both(applied_.addresses6, found.addresses6), found.routes6));
  if (!done) return done;
  return restore_each(
      without_network_route(in_both(applied_.addresses4, found.addresses4), found.routes4));
}

/// Whether nothing that was added is missing.
bool AddressSync::has_all(const netlink::DeviceFound& found) const {
  return includes(found.addresses6, applied_.addresses6) &&
         includes(found.addresses4, applied_.addresses4) &&
         includes(found.routes6, applied_.routes6) && includes(found.routes4, applied_.routes4) &&
         without_network_route(applied_.addresses6, found.routes6).empty() &&
         without_network_route(applied_.addresses4, found.routes4).empty();
}

/// Reads the device, a few times if something is missing: the kernel may have skipped it while others
/// changed addresses or routes, and an object that is in one of the lists is there.
Result<netlink::DeviceFound> AddressSync::read_device() {
  auto found = netlink_.read_device(device_index_);
  for (int readings = 1; found && !has_all(*found) && readings < kMostReadings; ++readings) {
    auto again = netlink_.read_device(device_index_);
    if (!again) return again;
    merge(again->addresses6, found->addresses6);
    merge(again->addresses4, found->addresses4);
    merge(again->routes6, found->routes6);
    merge(again->routes4, found->routes4);
    found->is_up = again->is_up;
  }
  return found;
}

Result<std::vector<std::string>> AddressSync::restore(const DeviceState& wanted) {
  std::vector<std::string> restored;
  const auto found = read_device();
  if (!found) return Unexpected{found.error()};
  if (!found->is_up) return restored;
  forget_lost(applied_.addresses6, found->addresses6, restored);
  forget_lost(applied_.addresses4, found->addresses4, restored);
  forget_lost(applied_.routes6, found->routes6, restored);
  forget_lost(applied_.routes4, found->routes4, restored);
  if (auto done = forget_lost_unreachable(restored); !done) return Unexpected{done.error()};
  if (auto done = restore_network_routes(*found, restored); !done) return Unexpected{done.error()};
  auto done = bring_to(wanted);
  if (!done && done.error().code == EEXIST) {
    // Another program may have added it first. Then the device has it, and it is ours to remove. A
    // route by another device stays an error.
    const auto again = read_device();
    if (!again) return Unexpected{again.error()};
    adopt(applied_.addresses6, wanted.addresses6, again->addresses6);
    adopt(applied_.addresses4, wanted.addresses4, again->addresses4);
    adopt(applied_.routes6, wanted.routes6, again->routes6);
    adopt(applied_.routes4, wanted.routes4, again->routes4);
    done = bring_to(wanted);
  }
  if (!done) return Unexpected{done.error()};
  return restored;
}

void AddressSync::wait_for_addresses() {
  constexpr auto kLimit = std::chrono::seconds{1};
  constexpr auto kInterval = std::chrono::milliseconds{1};
  const auto deadline = std::chrono::steady_clock::now() + kLimit;
  for (const proto::Ipv6Address& address : std::exchange(awaited_, {})) {
    while (std::chrono::steady_clock::now() < deadline) {
      const auto is_local = netlink_.is_local(device_index_, address);
      if (!is_local || *is_local) break;
      std::this_thread::sleep_for(kInterval);
    }
  }
}

}  // namespace culvert::host
