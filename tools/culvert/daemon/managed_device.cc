#include "tools/culvert/daemon/managed_device.h"

#include <fcntl.h>
#include <net/if.h>
#include <unistd.h>

#include <algorithm>
#include <set>
#include <unordered_map>
#include <utility>

#include "engine/host/bypass_check.h"
#include "engine/host/host_check.h"
#include "io/fd.h"

namespace culvert::program {
namespace {

/// Containers often switch IPv6 off for new devices. This one is ours and made for IPv6; where the
/// switch cannot be written, adding an address says so.
void switch_on_ipv6(const std::string& device) {
  const std::string path = "/proc/sys/net/ipv6/conf/" + device + "/disable_ipv6";
  const io::Fd file{::open(path.c_str(), O_WRONLY | O_CLOEXEC)};
  if (!file) return;
  [[maybe_unused]] const ssize_t written = ::write(file.get(), "0\n", 2);
}

/// Whether what is known of the way to the remote endpoint of one holds for the other.
bool has_same_path(const TunnelConfig& a, const TunnelConfig& b) {
  return a.remote == b.remote && a.local == b.local && a.dev == b.dev;
}

std::string endpoints(const TunnelStatus& tunnel) {
  const std::string local = tunnel.local.is_unspecified() ? "any" : tunnel.local.to_text();
  const auto& remote = tunnel.config.remote;
  return std::string{encapsulation_name(tunnel.config.mode)} + " " + local + " -> " +
         (remote.is_unspecified() ? "any" : remote.to_text());
}

std::string with_reason(std::string_view choice, std::string_view reason, bool is_fallback) {
  std::string text{choice};
  if (is_fallback && !reason.empty()) text += " (" + std::string{reason} + ")";
  return text;
}

}  // namespace

std::string up_line(const Config& config, const EngineStatus& status) {
  std::string line = "culvert: " + status.device + " is up: ";
  if (status.tunnels.size() > 1) line += std::to_string(status.tunnels.size()) + " tunnels, ";
  if (status.tunnels.size() == 1) line += endpoints(status.tunnels.front()) + ", ";
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

Result<std::unique_ptr<ManagedDevice>> ManagedDevice::bring_up(host::DeviceSettings settings,
                                                               netlink::Netlink& netlink,
                                                               const OpenEngine& open) {
  host::HostChecker checker{netlink};
  if (auto checked = checker.check(settings); !checked) return Unexpected{checked.error()};
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
  mtu_bytes_ = status.mtu_bytes;
  choose_next_hops();  // here already: a neighbor that is unknown now may be known below
  const host::DeviceState wanted = wanted_state(status);
  if (auto done = state_.set_addresses(wanted); !done) return done;
  if (auto done = engine_->start(); !done) return done;
  if (auto done = netlink_.set_up(index); !done) return done;
  if (auto done = state_.set_routes(wanted); !done) return done;
  choose_next_hops();
  return {};
}

/// With `local any` and no route to remote there is nothing to make a link-local address of: then
/// it follows in refresh(). One that was there stays until there is another.
host::DeviceState ManagedDevice::wanted_state(const EngineStatus& status) {
  std::vector<proto::Ipv4Address> locals;
  locals.reserve(status.tunnels.size());
  for (std::size_t i = 0; i < status.tunnels.size(); ++i) {
    proto::Ipv4Address& known = tunnels_.at(i).local;
    if (!status.tunnels[i].local.is_unspecified()) known = status.tunnels[i].local;
    locals.push_back(known);
  }
  return host::desired_state(settings_, locals);
}

Result<void> ManagedDevice::change(host::DeviceSettings next) {
  next.config.log = settings_.config.log;
  host::DeviceSettings before = settings_;
  if (auto taken = take(std::move(next)); !taken) return taken;
  auto done = follow();
  if (done) return done;
  // What was there is known to fit; what it cannot be given back is logged.
  auto undone = take(std::move(before));
  if (undone) undone = follow();
  if (!undone) log(LogLevel::error, "not as it was before: " + undone.error().message());
  return done;
}

/// Gives the engine other settings. What is known of a tunnel that stays is kept.
Result<void> ManagedDevice::take(host::DeviceSettings next) {
  if (next.config.tunnels != settings_.config.tunnels || next.config.mtu != settings_.config.mtu) {
    if (auto applied = engine_->apply(next.config); !applied) return applied;
  }
  std::unordered_map<std::string_view, std::size_t> before;
  const auto& old = settings_.config.tunnels;
  for (std::size_t i = 0; i < old.size(); ++i) before.emplace(old[i].name, i);
  std::vector<TunnelKernelState> tunnels(next.config.tunnels.size());
  for (std::size_t i = 0; i < tunnels.size(); ++i) {
    const TunnelConfig& tunnel = next.config.tunnels[i];
    const auto found = before.find(tunnel.name);
    if (found != before.end() && has_same_path(old[found->second], tunnel))
      tunnels[i] = tunnels_[found->second];
  }
  tunnels_ = std::move(tunnels);
  settings_ = std::move(next);
  return {};
}

/// Brings the kernel to what the settings say.
Result<void> ManagedDevice::follow() {
  const EngineStatus status = engine_->status();
  if (status.mtu_bytes != mtu_bytes_) {
    if (auto done = netlink_.set_mtu(status.device_index, status.mtu_bytes); !done) return done;
    mtu_bytes_ = status.mtu_bytes;
  }
  const host::DeviceState wanted = wanted_state(status);
  if (auto done = state_.set_addresses(wanted); !done) return done;
  if (auto done = state_.set_routes(wanted); !done) return done;
  host::NextHopFinder finder{netlink_};
  for (std::size_t i = 0; i < tunnels_.size(); ++i) {
    if (!tunnels_[i].is_chosen) choose_next_hop(i, finder);
  }
  return {};
}

/// With `send auto` packets take no shorter way than the one that the user has furnished.
void ManagedDevice::choose_next_hops() {
  in_output_path_ = settings_.config.send == SendChoice::automatic
                        ? host::find_bypassed_rule(engine_->status().receive == "raw")
                        : std::nullopt;
  neighbors_.clear();
  host::NextHopFinder finder{netlink_};
  for (std::size_t i = 0; i < tunnels_.size(); ++i) choose_next_hop(i, finder);
}

void ManagedDevice::choose_next_hop(std::size_t tunnel, host::NextHopFinder& finder) {
  TunnelKernelState& known = tunnels_[tunnel];
  known.neighbor.reset();
  known.is_chosen = true;
  const TunnelConfig& config = settings_.config.tunnels[tunnel];
  if (config.remote.is_unspecified()) return engine_->set_next_hop(tunnel, {}, "remote any");
  const unsigned device = config.dev.empty() ? 0 : ::if_nametoindex(config.dev.c_str());
  if (!config.dev.empty() && device == 0)
    return engine_->set_next_hop(tunnel, {}, config.dev + " is gone");
  auto found = finder.find(config.remote, config.local, device);
  if (!found) return engine_->set_next_hop(tunnel, {}, found.error().message());
  known.neighbor = found->neighbor;
  if (found->neighbor) neighbors_[*found->neighbor] = finder.find_neighbor(*found->neighbor);
  engine_->set_outer_interface(tunnel, found->hop.interface_index);
  if (in_output_path_)
    found = host::NextHopFound{
        .hop = {}, .reason = "would pass by " + *in_output_path_, .neighbor = {}};
  engine_->set_next_hop(tunnel, found->hop, std::move(found->reason));
}

/// Many tunnels may share a neighbor whose state changes every few seconds: they are looked at only
/// if packets would go elsewhere.
void ManagedDevice::neighbors_changed(
    const std::optional<std::vector<host::NeighborKey>>& changed) {
  host::NextHopFinder finder{netlink_};
  std::set<host::NeighborKey> other;
  for (const auto& [key, address] : neighbors_) {
    const bool is_asked =
        !changed || std::find(changed->begin(), changed->end(), key) != changed->end();
    if (is_asked && finder.find_neighbor(key) != address) other.insert(key);
  }
  if (other.empty()) return;
  for (std::size_t i = 0; i < tunnels_.size(); ++i) {
    if (tunnels_[i].neighbor && other.contains(*tunnels_[i].neighbor)) choose_next_hop(i, finder);
  }
}

void ManagedDevice::refresh() {
  engine_->refresh();
  choose_next_hops();
  if (auto done = state_.set_addresses(wanted_state(engine_->status())); !done)
    log(LogLevel::warning, done.error().message());
}

void ManagedDevice::log(LogLevel level, std::string_view line) const {
  if (settings_.config.log) settings_.config.log(level, line);
}

}  // namespace culvert::program
