#include "engine/control/reconcile.h"

#include <fcntl.h>
#include <net/if.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "engine/control/output_path.h"
#include "engine/control/values.h"
#include "io/fd.h"

namespace culvert::control {
namespace {

Unexpected<Error> refuse(int code, const DeviceSettings& settings, std::string_view word,
                         const std::string& value, std::string advice) {
  return Unexpected{Error{
      .code = code,
      .operation = "device",
      .object = settings.config.device + ", word " + quoted(word) + ", value " + quoted(value),
      .advice = std::move(advice)}};
}

std::string interface_list() {
  std::string names;
  struct if_nameindex* all = ::if_nameindex();
  for (auto* each = all; each != nullptr && each->if_index != 0; ++each) {
    names += (names.empty() ? "" : ", ") + std::string{each->if_name};
  }
  if (all != nullptr) ::if_freenameindex(all);
  return names;
}

/// `dev`: the index of the outer interface; 0 if none is asked for.
Result<unsigned> find_outer_interface(const DeviceSettings& settings, const TunnelConfig& tunnel) {
  if (tunnel.dev.empty()) return 0u;
  const unsigned index = ::if_nametoindex(tunnel.dev.c_str());
  if (index != 0) return index;
  return refuse(ENODEV, settings, "dev", tunnel.dev,
                "there is no such interface; there are " + interface_list());
}

/// Behind a NAT the public address is on no interface of this host; what works is the private one.
Result<void> check_local(const DeviceSettings& settings, const TunnelConfig& tunnel,
                         unsigned outer_index, Netlink& netlink) {
  if (!tunnel.local) return {};
  const auto own = netlink.route_to(*tunnel.local);
  if (!own) return Unexpected{own.error()};
  if (*own && (*own)->is_local) return {};
  const auto route = netlink.route_to(tunnel.remote, outer_index);
  if (!route) return Unexpected{route.error()};
  std::string advice = "is on no interface of this host; ";
  if (*route && !(*route)->source.is_unspecified()) {
    const std::string source = (*route)->source.to_text();
    advice += "the route to remote " + tunnel.remote.to_text() + " uses " + source +
              ": write local " + source + ", or local any (also behind a NAT, where the public " +
              "address is not on this host)";
  } else {
    advice += "and there is no route to remote " + tunnel.remote.to_text() +
              ": bring the outer network up first, or write local any";
  }
  return refuse(EADDRNOTAVAIL, settings, "local", tunnel.local->to_text(), std::move(advice));
}

/// The tunnel's own packets must not be routed into the tunnel. RFC 2473 4.1.2 names the loop.
Result<void> check_route(const DeviceSettings& settings, const TunnelConfig& tunnel,
                         const proto::Ipv4Prefix& route, Netlink& netlink) {
  // Sockets that are bound to an interface find their route by that interface alone.
  if (!route.contains(tunnel.remote) || !tunnel.dev.empty()) return {};
  const auto found = netlink.route_to(tunnel.remote);
  if (!found) return Unexpected{found.error()};
  if (*found && (*found)->length_bits > route.length_bits) return {};
  const std::string remote = tunnel.remote.to_text();
  std::string host_route = "ip route add " + remote + "/32";
  if (*found) {
    if ((*found)->gateway) host_route += " via " + (*found)->gateway->to_text();
    host_route += " dev " + interface_name((*found)->device_index);
  } else {
    host_route += " via GATEWAY";
  }
  return refuse(ELOOP, settings, "route", route.to_text(),
                "covers remote " + remote +
                    ", so the tunnel's own packets would enter the tunnel: first give remote a "
                    "route of its own (`" +
                    host_route + "`), or name the outer interface with dev");
}

/// Containers often switch IPv6 off for new devices. This one is ours and made for IPv6; where the
/// switch cannot be written, adding an address says so.
void switch_on_ipv6(const std::string& device) {
  const std::string path = "/proc/sys/net/ipv6/conf/" + device + "/disable_ipv6";
  const io::Fd file{::open(path.c_str(), O_WRONLY | O_CLOEXEC)};
  if (!file) return;
  [[maybe_unused]] const ssize_t written = ::write(file.get(), "0\n", 2);
}

std::string endpoints(const TunnelStatus& tunnel) {
  const std::string local = tunnel.local.is_unspecified() ? "any" : tunnel.local.to_text();
  return std::string{encapsulation_name(tunnel.config.mode)} + " " + local + " -> " +
         tunnel.config.remote.to_text();
}

std::string with_reason(std::string_view choice, std::string_view reason, bool is_fallback) {
  std::string text{choice};
  if (is_fallback && !reason.empty()) text += " (" + std::string{reason} + ")";
  return text;
}

}  // namespace

Result<void> check_against_host(const DeviceSettings& settings, Netlink& netlink) {
  for (const TunnelConfig& tunnel : settings.config.tunnels) {
    const auto outer_index = find_outer_interface(settings, tunnel);
    if (!outer_index) return Unexpected{outer_index.error()};
    if (auto local = check_local(settings, tunnel, *outer_index, netlink); !local) return local;
    for (const proto::Ipv4Prefix& route : settings.routes4) {
      if (auto checked = check_route(settings, tunnel, route, netlink); !checked) return checked;
    }
  }
  return {};
}

std::string up_line(const Config& config, const EngineStatus& status) {
  std::string line = "culvert: " + status.device + " is up: ";
  for (const TunnelStatus& tunnel : status.tunnels) line += endpoints(tunnel) + ", ";
  const bool fell_back_io = config.io == IoChoice::automatic && status.io != "uring";
  const bool fell_back_receive =
      config.receive == ReceiveChoice::automatic && status.receive != "packet";
  const bool has_tunnel = !status.tunnels.empty();
  const std::string_view send = has_tunnel ? status.tunnels.front().send : "raw";
  const std::string send_reason = has_tunnel ? status.tunnels.front().send_reason : "";
  return line + "mtu " + std::to_string(status.mtu_bytes) + ", io " +
         with_reason(status.io, status.io_reason, fell_back_io) + ", receive " +
         with_reason(status.receive, status.receive_reason, fell_back_receive) + ", send " +
         with_reason(send, send_reason, config.send != SendChoice::raw && send != "packet") + ", " +
         std::to_string(status.workers) + (status.workers == 1 ? " worker" : " workers");
}

Result<std::unique_ptr<ManagedDevice>> ManagedDevice::bring_up(DeviceSettings settings,
                                                               Netlink& netlink,
                                                               const OpenEngine& open) {
  if (auto checked = check_against_host(settings, netlink); !checked) {
    return Unexpected{checked.error()};
  }
  auto engine = open(settings.config);
  if (!engine) return Unexpected{engine.error()};
  std::unique_ptr<ManagedDevice> device{
      new ManagedDevice{std::move(settings), netlink, std::move(*engine)}};
  if (auto configured = device->configure(); !configured) return Unexpected{configured.error()};
  return device;
}

Result<void> ManagedDevice::configure() {
  const EngineStatus status = engine_->status();
  const unsigned index = status.device_index;
  switch_on_ipv6(status.device);
  if (auto done = netlink_.disable_address_generation(index); !done) return done;
  if (auto done = netlink_.set_mtu(index, status.mtu_bytes); !done) return done;
  choose_next_hops();  // here already: a neighbor that is unknown now may be known below
  if (auto done = add_link_local(status); !done) return done;
  if (auto done = add_addresses(index); !done) return done;
  if (auto done = engine_->start(); !done) return done;
  if (auto done = netlink_.set_up(index); !done) return done;
  if (auto done = add_routes(index); !done) return done;
  choose_next_hops();
  return {};
}

Result<void> ManagedDevice::add_addresses(unsigned index) {
  for (const auto& address : settings_.addresses6) {
    if (auto done = netlink_.add_address(index, address); !done) return done;
  }
  for (const auto& address : settings_.addresses4) {
    if (auto done = netlink_.add_address(index, address); !done) return done;
  }
  return {};
}

Result<void> ManagedDevice::add_routes(unsigned index) {
  for (const auto& route : settings_.routes6) {
    if (auto done = netlink_.add_route(index, route); !done) return done;
  }
  for (const auto& route : settings_.routes4) {
    if (auto done = netlink_.add_route(index, route); !done) return done;
  }
  return {};
}

/// RFC 4213 3.7. With `local any` and no route to remote yet there is nothing to make it of: then
/// it follows in refresh().
Result<void> ManagedDevice::add_link_local(const EngineStatus& status) {
  if (has_link_local_ || status.tunnels.empty()) return {};
  const proto::Ipv4Address local = status.tunnels.front().local;
  if (local.is_unspecified()) return {};
  const proto::Ipv6Prefix address{proto::tunnel_link_local(local), 64};
  // The same address may be among those that were asked for.
  for (const auto& asked_for : settings_.addresses6) {
    if (asked_for.address == address.address) return {};
  }
  auto added = netlink_.add_address(status.device_index, address);
  has_link_local_ = added.has_value();
  return added;
}

/// With `send auto` packets take no shorter way than the one that the user has furnished.
void ManagedDevice::choose_next_hops() {
  const Config& config = settings_.config;
  in_output_path_ = config.send == SendChoice::automatic
                        ? find_in_output_path(engine_->status().receive == "raw")
                        : std::nullopt;
  neighbors_.resize(config.tunnels.size());
  for (std::size_t i = 0; i < config.tunnels.size(); ++i) choose_next_hop(i);
}

void ManagedDevice::choose_next_hop(std::size_t tunnel) {
  neighbors_[tunnel].reset();
  const TunnelConfig& config = settings_.config.tunnels[tunnel];
  const unsigned device = config.dev.empty() ? 0 : ::if_nametoindex(config.dev.c_str());
  if (!config.dev.empty() && device == 0)
    return engine_->set_next_hop(tunnel, {}, config.dev + " is gone");
  auto found = find_next_hop(netlink_, config.remote, config.local, device);
  if (!found) return engine_->set_next_hop(tunnel, {}, found.error().message());
  neighbors_[tunnel] = found->neighbor;
  engine_->set_outer_interface(tunnel, found->hop.interface_index);
  if (in_output_path_)
    found = NextHopFound{.hop = {}, .reason = "would pass by " + *in_output_path_, .neighbor = {}};
  engine_->set_next_hop(tunnel, found->hop, std::move(found->reason));
}

void ManagedDevice::neighbors_changed(const std::optional<std::vector<NeighborKey>>& changed) {
  for (std::size_t i = 0; i < neighbors_.size(); ++i) {
    const bool concerns_it =
        neighbors_[i] &&
        (!changed || std::find(changed->begin(), changed->end(), *neighbors_[i]) != changed->end());
    if (concerns_it) choose_next_hop(i);
  }
}

void ManagedDevice::refresh() {
  engine_->refresh();
  choose_next_hops();
  if (has_link_local_) return;
  if (auto added = add_link_local(engine_->status()); !added) {
    log(LogLevel::warning, added.error().message());
  }
}

void ManagedDevice::log(LogLevel level, std::string_view line) const {
  if (settings_.config.log) settings_.config.log(level, line);
}

}  // namespace culvert::control
