#include "engine/host/host_check.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "engine/model/quoted.h"
#include "engine/tables/lpm_table.h"
#include "io/route_lookup.h"

namespace culvert::host {
namespace {

/// A route of the device, and the word that configures it: "route" or "prefix".
using RouteOfWord = std::pair<proto::Ipv4Prefix, std::string_view>;
using Routes = LpmTable<RouteOfWord, proto::Ipv4Address>;

/// The IPv4 routes of the device. A tunnel's prefix becomes a route, but never a default route
/// (address_sync.h).
Routes routes_of(const DeviceSettings& settings) {
  std::vector<Routes::Entry> entries;
  for (const TunnelConfig& tunnel : settings.config.tunnels) {
    for (const auto& prefix : tunnel.prefixes4) {
      if (prefix.length_bits != 0) entries.push_back({prefix, {prefix, "prefix"}});
    }
  }
  for (const auto& route : settings.routes4) entries.push_back({route, {route, "route"}});
  return Routes{entries};
}

/// "broker, tunnel 'alice', /etc/culvert.toml, line 12". Leaves out what is not known, and a name
/// that is the device's.
std::string describe(const DeviceSettings& settings, const TunnelConfig& tunnel) {
  std::string text = settings.config.device;
  if (!tunnel.name.empty() && tunnel.name != settings.config.device)
    text += ", tunnel " + culvert::quoted(tunnel.name);
  if (!settings.lines) return text;
  const auto line = settings.lines->tunnels.find(tunnel.name);
  if (line == settings.lines->tunnels.end()) return text;
  return text + ", " + settings.lines->file + ", line " + std::to_string(line->second);
}

Unexpected<Error> refuse(int code, const DeviceSettings& settings, const TunnelConfig& tunnel,
                         std::string_view word, const std::string& value, std::string advice) {
  return Unexpected{Error{.code = code,
                          .operation = "device",
                          .object = describe(settings, tunnel) + ", word " + culvert::quoted(word) +
                                    ", value " + culvert::quoted(value),
                          .advice = std::move(advice)}};
}

/// A host can have thousands of interfaces, so the list is short.
std::string interface_list() {
  constexpr std::size_t kListed = 8;
  std::vector<std::string> names;
  struct if_nameindex* all = ::if_nameindex();
  for (auto* each = all; each != nullptr && each->if_index != 0; ++each)
    names.emplace_back(each->if_name);
  if (all != nullptr) ::if_freenameindex(all);
  return shortened(names, kListed);
}

/// The interface that has an address; empty: none has it.
std::string interface_of(const proto::Ipv4Address& address) {
  ifaddrs* first = nullptr;
  if (::getifaddrs(&first) != 0) return "";
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> owned{first, &::freeifaddrs};
  for (const ifaddrs* each = first; each != nullptr; each = each->ifa_next) {
    if (each->ifa_addr == nullptr || each->ifa_addr->sa_family != AF_INET) continue;
    const auto& own = reinterpret_cast<const sockaddr_in&>(*each->ifa_addr);
    if (std::memcmp(&own.sin_addr, address.bytes.data(), address.bytes.size()) == 0)
      return each->ifa_name;
  }
  return "";
}

}  // namespace

/// 0: there is no such interface.
unsigned HostChecker::interface_index(const std::string& name) {
  const auto [entry, is_new] = interfaces_.try_emplace(name);
  if (is_new) entry->second = ::if_nametoindex(name.c_str());
  return entry->second;
}

const HostChecker::Route& HostChecker::route_to(proto::Ipv4Address address, unsigned device_index) {
  const std::pair key{address, device_index};
  const auto known = routes_.find(key);
  if (known != routes_.end()) return known->second;
  return routes_.emplace(key, netlink_.route_to(address, device_index)).first->second;
}

/// Whether `local` of the tunnel is an address of this host. The addresses of a VRF are found only by an
/// interface of it.
Result<bool> HostChecker::is_local(const TunnelConfig& tunnel, unsigned outer_index) {
  for (const unsigned index : {0u, outer_index}) {
    const Route& own = route_to(*tunnel.local, index);
    if (!own) return Unexpected{own.error()};
    if (*own && (*own)->is_local) return true;
    if (outer_index == 0) break;
  }
  return false;
}

/// Checks `local`. Behind a NAT the public address is on no interface of this host; the private
/// address is the right one.
Result<void> HostChecker::check_local(const DeviceSettings& settings, const TunnelConfig& tunnel,
                                      unsigned outer_index) {
  if (!tunnel.local) return {};
  const auto own = is_local(tunnel, outer_index);
  if (!own) return Unexpected{own.error()};
  if (*own) return {};
  if (const std::string interface = interface_of(*tunnel.local); !interface.empty())
    return refuse(EADDRNOTAVAIL, settings, tunnel, "local", tunnel.local->to_text(),
                  "is on " + interface +
                      ", which is in a VRF that the tunnel does not use: write dev " + interface);
  std::string advice = "is on no interface of this host; ";
  if (!tunnel.remote.is_fixed())
    return refuse(EADDRNOTAVAIL, settings, tunnel, "local", tunnel.local->to_text(),
                  advice + "write an address of this host (behind a NAT its private address)");
  const Route& route = route_to(tunnel.remote.address(), outer_index);
  if (!route) return Unexpected{route.error()};
  if (*route && !(*route)->source.is_unspecified()) {
    const std::string source = (*route)->source.to_text();
    advice += "the route to remote " + tunnel.remote.to_text() + " uses " + source +
              ": write local " + source + ", or local any (also behind a NAT, where the public " +
              "address is not on this host)";
  } else {
    advice += "there is no route to remote " + tunnel.remote.to_text() +
              ": bring up the outer network first, or write local any";
  }
  return refuse(EADDRNOTAVAIL, settings, tunnel, "local", tunnel.local->to_text(),
                std::move(advice));
}

/// Checks that `route` does not lead the tunnel's own packets into the tunnel (the loop of RFC 2473
/// 4.1.2).
Result<void> HostChecker::check_route(const DeviceSettings& settings, const TunnelConfig& tunnel,
                                      const proto::Ipv4Prefix& route, std::string_view word) {
  // A socket that is bound to an interface uses routes by that interface only.
  if (!tunnel.dev.empty()) return {};
  const Route& found = route_to(tunnel.remote.address());
  if (!found) return Unexpected{found.error()};
  if (*found && (*found)->length_bits > route.length_bits) return {};
  const std::string remote = tunnel.remote.to_text();
  std::string host_route = "ip route add " + remote + "/32";
  if (*found) {
    if ((*found)->gateway) host_route += " via " + (*found)->gateway->to_text();
    host_route += " dev " + netlink::interface_name((*found)->device_index);
  } else {
    host_route += " via GATEWAY";
  }
  return refuse(ELOOP, settings, tunnel, word, route.to_text(),
                "covers remote " + remote +
                    ", so the tunnel's own packets would enter the tunnel: first add a route to "
                    "remote (`" +
                    host_route + "`), or name the outer interface with dev");
}

bool HostChecker::has_endpoint(const TunnelConfig& tunnel) {
  if (!tunnel.dev.empty() && interface_index(tunnel.dev) == 0) return false;
  if (!tunnel.local) return true;
  const auto own = is_local(tunnel, tunnel.dev.empty() ? 0 : interface_index(tunnel.dev));
  return own && *own;
}

Result<void> HostChecker::check_endpoint(const DeviceSettings& settings,
                                         const TunnelConfig& tunnel) {
  const unsigned outer_index = tunnel.dev.empty() ? 0 : interface_index(tunnel.dev);
  if (!tunnel.dev.empty() && outer_index == 0)
    return refuse(ENODEV, settings, tunnel, "dev", tunnel.dev,
                  "there is no such interface: write one of " + interface_list());
  return check_local(settings, tunnel, outer_index);
}

/// If several routes cover a remote endpoint, the most specific one is checked.
Result<void> HostChecker::check_routes(const DeviceSettings& settings) {
  const Routes routes = routes_of(settings);
  for (const TunnelConfig& tunnel : settings.config.tunnels) {
    if (!tunnel.remote.is_fixed()) continue;
    const RouteOfWord* covering = routes.find(tunnel.remote.address());
    if (covering == nullptr) continue;
    if (auto checked = check_route(settings, tunnel, covering->first, covering->second); !checked)
      return checked;
  }
  return {};
}

Result<void> HostChecker::read_no_remotes() {
  constexpr unsigned kLongestWithBroadcast = 30;  // RFC 3021: 31 bits have none
  const auto subnets = io::own_ipv4_subnets();
  if (!subnets) return Unexpected{subnets.error()};
  no_remotes_.emplace();
  for (const proto::Ipv4Prefix& subnet : *subnets) {
    if (subnet.address.is_loopback() || subnet.length_bits > kLongestWithBroadcast) continue;
    const auto network = subnet.network();
    const auto broadcast =
        proto::Ipv4Address::from_host(network.address.host() | 0xffff'ffffu >> subnet.length_bits);
    no_remotes_->emplace(network.address, "is the network address of " + network.to_text());
    no_remotes_->emplace(broadcast, "is the broadcast address of " + network.to_text());
  }
  for (const proto::Ipv4Prefix& subnet : *subnets) {
    if (!subnet.address.is_loopback())
      no_remotes_->insert_or_assign(subnet.address, "is an address of this host");
  }
  return {};
}

Result<void> HostChecker::check_remotes(const DeviceSettings& settings) {
  if (!no_remotes_) {
    if (auto read = read_no_remotes(); !read) return read;
  }
  for (const TunnelConfig& tunnel : settings.config.tunnels) {
    if (!tunnel.remote.is_fixed()) continue;
    const auto found = no_remotes_->find(tunnel.remote.address());
    if (found == no_remotes_->end()) continue;
    return refuse(EADDRNOTAVAIL, settings, tunnel, "remote", tunnel.remote.to_text(),
                  found->second +
                      ", so the tunnel would carry nothing: write the address of the "
                      "remote endpoint");
  }
  return {};
}

Result<void> HostChecker::check(const DeviceSettings& settings) {
  for (const TunnelConfig& tunnel : settings.config.tunnels) {
    if (auto checked = check_endpoint(settings, tunnel); !checked) return checked;
  }
  if (auto checked = check_remotes(settings); !checked) return checked;
  return check_routes(settings);
}

}  // namespace culvert::host
