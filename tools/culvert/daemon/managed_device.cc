#include "tools/culvert/daemon/managed_device.h"

#include <fcntl.h>
#include <net/if.h>
#include <unistd.h>

#include <algorithm>
#include <set>
#include <unordered_map>
#include <utility>

#include "engine/host/bypass_check.h"
#include "engine/host/firewall_check.h"
#include "engine/host/network_check.h"
#include "engine/host/other_receivers.h"
#include "engine/model/quoted.h"
#include "io/fd.h"
#include "proto/ipv6.h"

namespace culvert::program {
namespace {

/// How many addresses, routes or tunnels a log line names.
constexpr std::size_t kListed = 3;

/// Containers often disable IPv6 on new devices. If a tunnel of the device carries IPv6, it is
/// enabled. Otherwise it is disabled, so that the kernel does not send IPv6 packets that no tunnel
/// carries, as on an ipip device of Linux. If the sysctl cannot be written, adding an IPv6 address
/// fails with advice.
void switch_ipv6(const std::string& device, bool is_on) {
  const std::string path = "/proc/sys/net/ipv6/conf/" + device + "/disable_ipv6";
  const io::Fd file{::open(path.c_str(), O_WRONLY | O_CLOEXEC)};
  if (!file) return;
  [[maybe_unused]] const ssize_t written = ::write(file.get(), is_on ? "0\n" : "1\n", 2);
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
  switch_ipv6(status.device, has_ipv6(status));
  if (host::carries_ipv6(settings_) && !has_ipv6(status))
    log(LogLevel::info, "IPv6 is off on " + status.device + ", because its MTU of " +
                            std::to_string(status.mtu_bytes) + " is below 1280 (RFC 8200 5)");
  if (auto done = netlink_.disable_address_generation(index); !done) return done;
  if (auto done = netlink_.set_mtu(index, status.mtu_bytes); !done) return done;
  mtu_bytes_ = status.mtu_bytes;
  receives_raw_ = status.receive == "raw";
  choose_next_hops();  // starts resolving unknown neighbors, so the call below may find them
  const host::DeviceState wanted = wanted_state(status);
  if (auto done = state_.set_addresses(wanted); !done) return done;
  if (auto done = engine_->start(); !done) return done;
  if (auto done = netlink_.set_up(index); !done) return done;
  if (auto done = state_.set_routes(wanted); !done) return done;
  state_.wait_for_addresses();
  choose_next_hops();
  return {};
}

/// With `local any` and no route to remote, the local endpoint is unknown: paths_changed() then adds
/// the link-local address later. A known local endpoint stays until there is another one.
host::DeviceState ManagedDevice::wanted_state(const EngineStatus& status) {
  std::vector<proto::Ipv4Address> locals;
  locals.reserve(status.tunnels.size());
  for (std::size_t i = 0; i < status.tunnels.size(); ++i) {
    proto::Ipv4Address& known = tunnels_.at(i).local;
    if (!status.tunnels[i].local.is_unspecified()) known = status.tunnels[i].local;
    locals.push_back(known);
  }
  if (!has_ipv6(status)) locals.clear();  // no link-local addresses
  return host::desired_state(settings_, locals);
}

/// The kernel removes IPv6 from a device with a smaller MTU. Engine::apply() never crosses it.
bool ManagedDevice::has_ipv6(const EngineStatus& status) const {
  return host::carries_ipv6(settings_) && status.mtu_bytes >= proto::kIpv6MinimumMtu;
}

Result<void> ManagedDevice::change(host::DeviceSettings next) {
  next.config.log = settings_.config.log;
  host::DeviceSettings before = settings_;
  if (auto applied = apply_to_engine(std::move(next)); !applied) return applied;
  auto done = apply_to_kernel();
  if (done) return done;
  auto undone = apply_to_engine(std::move(before));
  if (undone) undone = apply_to_kernel();
  if (!undone)
    log(LogLevel::error, "cannot restore the previous settings: " + undone.error().message());
  return done;
}

/// Applies settings to the engine. Keeps the kernel state of each tunnel whose name and path stay.
Result<void> ManagedDevice::apply_to_engine(host::DeviceSettings next) {
  const Config& current = settings_.config;
  if (next.config.tunnels != current.tunnels || next.config.mtu != current.mtu ||
      next.config.min_pmtu != current.min_pmtu || next.config.needs_ipv6 != current.needs_ipv6) {
    if (auto applied = engine_->apply(next.config); !applied) return applied;
  }
  std::unordered_map<std::string_view, std::size_t> before;
  const auto& old = settings_.config.tunnels;
  for (std::size_t i = 0; i < old.size(); ++i) before.emplace(old[i].name, i);
  std::vector<TunnelKernelState> tunnels(next.config.tunnels.size());
  for (std::size_t i = 0; i < tunnels.size(); ++i) {
    const TunnelConfig& tunnel = next.config.tunnels[i];
    const auto found = before.find(tunnel.name);
    if (found != before.end() && path_key(old[found->second]) == path_key(tunnel))
      tunnels[i] = tunnels_[found->second];
  }
  tunnels_ = std::move(tunnels);
  settings_ = std::move(next);
  return {};
}

/// Applies MTU, addresses, routes and next hops to the kernel and the engine.
Result<void> ManagedDevice::apply_to_kernel() {
  const EngineStatus status = engine_->status();
  if (has_ipv6(status)) switch_ipv6(status.device, true);
  if (status.mtu_bytes != mtu_bytes_) {
    if (auto done = netlink_.set_mtu(status.device_index, status.mtu_bytes); !done) return done;
    mtu_bytes_ = status.mtu_bytes;
  }
  const host::DeviceState wanted = wanted_state(status);
  if (auto done = state_.set_addresses(wanted); !done) return done;
  if (auto done = state_.set_routes(wanted); !done) return done;
  state_.wait_for_addresses();
  find_waiting(false);
  host::NextHopFinder finder{netlink_};
  for (std::size_t i = 0; i < tunnels_.size(); ++i) {
    if (!tunnels_[i].is_chosen) choose_next_hop(i, finder);
  }
  return {};
}

/// Finds the tunnels that wait for their `dev` or `local`, and logs it if they are others than
/// before. `chosen_too`: looks also at the tunnels whose next hop is known.
void ManagedDevice::find_waiting(bool chosen_too) {
  host::HostChecker checker{netlink_};
  std::vector<std::string> waiting;
  std::string reason;
  for (std::size_t i = 0; i < tunnels_.size(); ++i) {
    const TunnelConfig& config = settings_.config.tunnels[i];
    TunnelKernelState& known = tunnels_[i];
    if (chosen_too || !known.is_chosen) known.is_waiting = !checker.has_endpoint(config);
    if (!known.is_waiting) continue;
    if (waiting.empty()) reason = reason_to_wait(checker, config);
    waiting.push_back(config.name);
  }
  if (waiting != waiting_) log_waiting(waiting, reason);
  waiting_ = std::move(waiting);
}

std::string ManagedDevice::reason_to_wait(host::HostChecker& checker,
                                          const TunnelConfig& tunnel) const {
  const auto checked = checker.check_endpoint(settings_, tunnel);
  return checked ? "" : checked.error().message();
}

/// `reason`: of the first of them.
void ManagedDevice::log_waiting(const std::vector<std::string>& waiting,
                                const std::string& reason) const {
  if (waiting.empty()) return log(LogLevel::info, "no tunnel waits any more");
  const bool is_one = waiting.size() == 1;
  log(LogLevel::warning, (is_one ? "tunnel " : "tunnels ") + shortened(waiting, kListed) +
                             (is_one ? " waits: " : " wait: ") + reason);
}

/// With `send auto`, packet sockets must not bypass a rule that the user has configured.
void ManagedDevice::choose_next_hops() {
  bypassed_rule_ = settings_.config.send == SendChoice::automatic
                       ? host::find_bypassed_rule(receives_raw_)
                       : std::nullopt;
  neighbors_.clear();
  find_waiting(true);
  host::NextHopFinder finder{netlink_};
  for (std::size_t i = 0; i < tunnels_.size(); ++i) choose_next_hop(i, finder);
}

void ManagedDevice::choose_next_hop(std::size_t tunnel, host::NextHopFinder& finder) {
  TunnelKernelState& known = tunnels_[tunnel];
  known.neighbor.reset();
  known.is_chosen = true;
  const TunnelConfig& config = settings_.config.tunnels[tunnel];
  const unsigned device = config.dev.empty() ? 0 : ::if_nametoindex(config.dev.c_str());
  if (!config.dev.empty() && device == 0)
    return engine_->set_next_hop(tunnel, {}, "it waits for interface " + config.dev);
  if (known.is_waiting && config.local)
    return engine_->set_next_hop(tunnel, {}, "it waits for local " + config.local->to_text());
  if (!config.remote.is_fixed()) return engine_->set_next_hop(tunnel, {}, "remote any");
  auto found = finder.find(config.remote.address(), config.local, device);
  if (!found) return engine_->set_next_hop(tunnel, {}, found.error().message());
  known.neighbor = found->neighbor;
  if (found->neighbor) neighbors_[*found->neighbor] = finder.find_neighbor(*found->neighbor);
  engine_->set_outer_interface(tunnel, found->hop.interface_index);
  if (bypassed_rule_)
    found =
        host::NextHopFound{.hop = {}, .reason = "would bypass " + *bypassed_rule_, .neighbor = {}};
  engine_->set_next_hop(tunnel, found->hop, std::move(found->reason));
}

/// The state of a neighbor changes every few seconds, and many tunnels may share it. So tunnels are
/// updated only if its link-layer address has changed.
void ManagedDevice::neighbors_changed(
    const std::optional<std::vector<host::NeighborKey>>& changed) {
  host::NextHopFinder finder{netlink_};
  std::set<host::NeighborKey> moved;
  for (const auto& [key, address] : neighbors_) {
    const bool may_have_changed =
        !changed || std::find(changed->begin(), changed->end(), key) != changed->end();
    if (may_have_changed && finder.find_neighbor(key) != address) moved.insert(key);
  }
  if (moved.empty()) return;
  for (std::size_t i = 0; i < tunnels_.size(); ++i) {
    if (tunnels_[i].neighbor && moved.contains(*tunnels_[i].neighbor)) choose_next_hop(i, finder);
  }
}

void ManagedDevice::list_next_hop_interfaces(std::set<unsigned>& interfaces) const {
  for (const auto& [key, address] : neighbors_) interfaces.insert(key.device_index);
}

/// The engine looks up the paths on a thread of its own: paths_changed() follows.
void ManagedDevice::refresh() {
  engine_->refresh();
  choose_next_hops();
  set_warnings("network", host::network_warnings(settings_));
}

void ManagedDevice::paths_changed() {
  const EngineStatus status = engine_->status();
  host::NextHopFinder finder{netlink_};
  for (std::size_t i = 0; i < tunnels_.size(); ++i) {
    const proto::Ipv4Address local = status.tunnels.at(i).local;
    // Its packets may leave by another interface, and the bypass knows the old address.
    if (!local.is_unspecified() && local != tunnels_[i].local) choose_next_hop(i, finder);
  }
  if (auto done = state_.set_addresses(wanted_state(status)); !done)
    log(LogLevel::warning, done.error().message());
}

void ManagedDevice::check_firewall() {
  set_warnings("firewall", host::firewall_warnings(netlink_, settings_));
}

bool ManagedDevice::check_receivers() {
  auto found = host::other_receivers(settings_.config);
  const bool has_found = !found.empty();
  set_warnings("receivers", std::move(found));
  return has_found;
}

void ManagedDevice::check_ecn() {
  const EngineStatus status = engine_->status();
  for (const std::string& line : ecn_check_.check(status.tunnels, std::chrono::steady_clock::now()))
    log(LogLevel::warning, line);
}

void ManagedDevice::restore() {
  const auto restored = state_.restore(wanted_state(engine_->status()));
  if (!restored)
    return warn_of_restored("cannot add again what was removed: " + restored.error().message());
  if (restored->empty()) return;
  warn_of_restored("added " + shortened(*restored, kListed) +
                   " again, which another program had removed, or which were lost while the device "
                   "was down; for systemd-networkd write a .network file that matches " +
                   settings_.config.device + ", with Unmanaged=yes in [Link]");
}

/// Another program may remove them again and again.
void ManagedDevice::warn_of_restored(const std::string& line) {
  constexpr std::chrono::minutes kPeriod{1};
  const auto now = std::chrono::steady_clock::now();
  const bool is_due = now >= next_restored_line_;
  if (is_due) next_restored_line_ = now + kPeriod;
  log(is_due ? LogLevel::warning : LogLevel::debug, line);
}

void ManagedDevice::log(LogLevel level, std::string_view line) const {
  if (settings_.config.log) settings_.config.log(level, line);
}

}  // namespace culvert::program
