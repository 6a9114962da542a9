#include "engine/host/address_sync.h"

#include <algorithm>
#include <cerrno>
#include <iterator>

namespace culvert::host {
namespace {

using proto::Ipv4Address;
using proto::Ipv6Prefix;

template <class T>
void sort_once(std::vector<T>& values) {
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
}

template <class Prefix>
struct Candidate {
  Prefix prefix;
  bool is_wanted = false;  ///< a tunnel's; not one that the device has anyhow
};

/// The candidates that are wanted and have no other above them. In the order of address, then
/// length, whatever covers a prefix comes before it, and all between the two is covered as well: so
/// the covers of the present one are a stack.
template <class Prefix>
std::vector<Prefix> uncovered(std::vector<Candidate<Prefix>> candidates) {
  std::sort(candidates.begin(), candidates.end(), [](const auto& a, const auto& b) {
    return std::pair{a.prefix, a.is_wanted} < std::pair{b.prefix, b.is_wanted};
  });
  std::vector<Prefix> covers, result;
  for (const auto& [prefix, is_wanted] : candidates) {
    while (!covers.empty() && !covers.back().contains(prefix.address)) covers.pop_back();
    if (is_wanted && (!covers.empty() || prefix.length_bits == 0)) continue;
    if (is_wanted) result.push_back(prefix);
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
  sort_once(all);
  return all;
}

/// Calls `remove` for what is in `there` alone, then `add` for what is in `wanted` alone; `there`
/// says after each step what is there.
template <class T, class Remove, class Add>
Result<void> bring(std::vector<T>& there, const std::vector<T>& wanted, Remove remove, Add add) {
  std::vector<T> gone, fresh;
  std::set_difference(there.begin(), there.end(), wanted.begin(), wanted.end(),
                      std::back_inserter(gone));
  std::set_difference(wanted.begin(), wanted.end(), there.begin(), there.end(),
                      std::back_inserter(fresh));
  Result<void> done{};
  std::size_t removed = 0, added = 0;
  while (done && removed < gone.size()) {
    if (done = remove(gone[removed]); done) ++removed;
  }
  while (done && added < fresh.size()) {
    if (done = add(fresh[added]); done) ++added;
  }
  std::vector<T> kept;
  std::set_difference(there.begin(), there.end(), gone.begin(), gone.begin() + removed,
                      std::back_inserter(kept));
  kept.insert(kept.end(), fresh.begin(), fresh.begin() + added);
  std::sort(kept.begin(), kept.end());
  there = std::move(kept);
  return done;
}

}  // namespace

DeviceState state_of(const DeviceSettings& settings, const std::vector<Ipv4Address>& locals) {
  DeviceState state{.addresses6 = settings.addresses6,
                    .addresses4 = settings.addresses4,
                    .routes6 = {},
                    .routes4 = {}};
  std::vector<Ipv4Address> distinct = locals;
  sort_once(distinct);
  for (const Ipv4Address& local : distinct) {
    if (local.is_unspecified()) continue;
    const Ipv6Prefix link_local{proto::tunnel_link_local(local), 64};
    const bool was_asked_for = std::any_of(
        settings.addresses6.begin(), settings.addresses6.end(),
        [&](const Ipv6Prefix& address) { return address.address == link_local.address; });
    if (!was_asked_for) state.addresses6.push_back(link_local);
  }
  sort_once(state.addresses6);
  sort_once(state.addresses4);
  const auto& tunnels = settings.config.tunnels;
  state.routes6 = routes_of(settings.routes6, state.addresses6, tunnels, &TunnelConfig::prefixes6);
  state.routes4 = routes_of(settings.routes4, state.addresses4, tunnels, &TunnelConfig::prefixes4);
  return state;
}

Result<void> AddressSync::set_addresses(const DeviceState& wanted) {
  const auto remove = [&](const auto& address) {
    return netlink_.remove_address(device_index_, address);
  };
  const auto add = [&](const auto& address) {
    return netlink_.add_address(device_index_, address);
  };
  if (auto done = bring(there_.addresses6, wanted.addresses6, remove, add); !done) return done;
  // With an IPv4 address the kernel may remove the others of its subnet (promote_secondaries).
  const auto before = there_.addresses4;
  if (auto done = bring(there_.addresses4, wanted.addresses4, remove, add); !done) return done;
  const bool lost_some = !std::includes(there_.addresses4.begin(), there_.addresses4.end(),
                                        before.begin(), before.end());
  for (std::size_t i = 0; lost_some && i < there_.addresses4.size(); ++i) {
    const auto again = add(there_.addresses4[i]);
    if (!again && again.error().code != EEXIST) return again;
  }
  return {};
}

Result<void> AddressSync::set_routes(const DeviceState& wanted) {
  const auto remove = [&](const auto& route) {
    return netlink_.remove_route(device_index_, route);
  };
  const auto add = [&](const auto& route) { return netlink_.add_route(device_index_, route); };
  if (auto done = bring(there_.routes6, wanted.routes6, remove, add); !done) return done;
  return bring(there_.routes4, wanted.routes4, remove, add);
}

}  // namespace culvert::host
