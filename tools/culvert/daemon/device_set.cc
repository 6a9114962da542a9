#include "tools/culvert/daemon/device_set.h"

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <span>
#include <utility>

#include "engine/model/quoted.h"
#include "tools/culvert/daemon/signal_mask.h"

namespace culvert::program {
namespace {

/// Refuses a device with a tunnel that receives the same packets as one of another device: both would
/// deliver them.
Result<void> check_apart(const host::DeviceSettings& device,
                         std::span<const host::DeviceSettings* const> others) {
  if (others.empty()) return {};
  const auto own = tunnel_claims(device.config);
  for (const host::DeviceSettings* const other : others) {
    const auto claims = tunnel_claims(other->config);
    const auto shared = find_shared(own, claims);
    if (shared.empty()) continue;
    const auto& [mine, theirs] = shared.front();
    return Unexpected{Error{
        .code = EEXIST,
        .operation = "device",
        .object = device.config.device + ", tunnel " + culvert::quoted(mine->tunnel) +
                  ", word 'remote', value " + culvert::quoted(mine->outer.remote.to_text()),
        .advice = "receives the same packets as tunnel " + culvert::quoted(theirs->tunnel) +
                  " of device " + theirs->device + ": change remote, local or key of one of them"}};
  }
  return {};
}

Result<void> check_all_apart(const std::vector<host::DeviceSettings>& devices) {
  std::vector<const host::DeviceSettings*> earlier;
  for (const host::DeviceSettings& device : devices) {
    if (auto apart = check_apart(device, earlier); !apart) return apart;
    earlier.push_back(&device);
  }
  return {};
}

}  // namespace

Result<void> DeviceSet::start(Settings settings) {
  auto netlink = netlink::Netlink::open();
  if (!netlink) return Unexpected{netlink.error()};
  netlink_.emplace(std::move(*netlink));
  if (auto apart = check_all_apart(settings.devices); !apart) return apart;
  for (host::DeviceSettings& device : settings.devices) {
    host::HostChecker checker{*netlink_};  // anew: a device may need the address of another one
    if (auto checked = check(device, checker); !checked) return checked;
    if (auto done = bring_up(std::move(device)); !done) return done;
  }
  ndp_ = std::move(settings.ndp);
  if (auto done = forwarding_.set(forwarding_settings()); !done) return done;
  warn_about_forwarding();
  return {};
}

void DeviceSet::clear() {
  forwarding_.restore();
  devices_.clear();
}

std::vector<const host::DeviceSettings*> DeviceSet::all_settings() const {
  std::vector<const host::DeviceSettings*> devices;
  for (const auto& device : devices_) devices.push_back(&device->settings());
  return devices;
}

host::ForwardingSettings DeviceSet::forwarding_settings() const {
  return host::forwarding_settings(all_settings(), ndp_);
}

void DeviceSet::warn_about_forwarding() const {
  for (const auto& device : devices_) {
    const std::string warning = host::forwarding_warning(device->settings());
    const Log& log = device->settings().config.log;
    if (!warning.empty() && log) log(LogLevel::warning, warning);
  }
  for (const NdpConfig& section : ndp_) {
    const std::string warning = host::ndp_forwarding_warning(section, all_settings());
    if (!warning.empty() && section.log) section.log(LogLevel::warning, warning);
  }
}

Result<void> DeviceSet::bring_up(host::DeviceSettings settings) {
  const SignalsBlocked blocked;
  auto device = ManagedDevice::bring_up(std::move(settings), *netlink_, open_);
  if (!device) return Unexpected{device.error()};
  devices_.push_back(std::move(*device));
  return events_.added(*devices_.back());
}

void DeviceSet::remove(const std::string& name) {
  events_.removing(name);
  std::erase_if(devices_, [&](const auto& each) { return each->settings().config.device == name; });
}

ManagedDevice* DeviceSet::find(std::string_view name) {
  const auto found = std::find_if(devices_.begin(), devices_.end(), [&](const auto& each) {
    return each->settings().config.device == name;
  });
  return found == devices_.end() ? nullptr : found->get();
}

Settings DeviceSet::settings() const {
  Settings all{.devices = {}, .ndp = ndp_};
  for (const auto& device : devices_) all.devices.push_back(device->settings());
  return all;
}

Result<void> DeviceSet::check(const Settings& before, const Settings& next) {
  if (auto apart = check_all_apart(next.devices); !apart) return apart;
  host::HostChecker checker{*netlink_};
  for (const host::DeviceSettings& device : next.devices) {
    const host::DeviceSettings* old = find_device(before, device.config.device);
    if (old != nullptr) {
      if (auto checked = check_change(*old, device); !checked) return checked;
    }
    if (auto valid = validate(device.config); !valid) return valid;
    if (auto checked = check(device, checker); !checked) return checked;
  }
  return {};
}

Result<void> DeviceSet::check(const host::DeviceSettings& device,
                              host::HostChecker& checker) const {
  if (!waits_) return checker.check(device);
  if (auto checked = checker.check_remotes(device); !checked) return checked;
  return checker.check_routes(device);
}

/// Removes devices before it adds others, because a prefix may move from one device to another.
Result<void> DeviceSet::apply(const Settings& next) {
  std::vector<std::string> removed;
  for (const auto& device : devices_) {
    const std::string& name = device->settings().config.device;
    if (find_device(next, name) == nullptr) removed.push_back(name);
  }
  for (const std::string& name : removed) remove(name);
  for (const host::DeviceSettings& settings : next.devices) {
    ManagedDevice* const device = find(settings.config.device);
    auto done = device == nullptr ? bring_up(settings) : device->change(settings);
    if (!done) return done;
  }
  ndp_ = next.ndp;
  return forwarding_.set(forwarding_settings());
}

Result<Changes> DeviceSet::reload(Settings next) {
  const Settings before = settings();
  if (auto checked = check(before, next); !checked) return Unexpected{checked.error()};
  if (auto done = apply(next); !done) {
    Error error = done.error();
    if (auto undone = apply(before); !undone) {
      error.advice += "; the previous settings are not fully restored: " + undone.error().message();
    }
    return Unexpected{std::move(error)};
  }
  return find_changes(before, next);
}

Result<void> DeviceSet::change(const TunnelCommand& command) {
  ManagedDevice* const device = find(command.device);
  if (device == nullptr) {
    return Unexpected{Error{
        .code = 0,
        .operation = "tunnel",
        .object = command.device,
        .advice = "this culvert has no device of that name: `culvert show` lists the devices"}};
  }
  auto next = apply_command(device->settings(), command);
  if (!next) return Unexpected{next.error()};
  std::vector<const host::DeviceSettings*> others;
  for (const auto& each : devices_)
    if (each.get() != device) others.push_back(&each->settings());
  if (auto apart = check_apart(*next, others); !apart) return apart;
  host::HostChecker checker{*netlink_};
  if (auto checked = check(*next, checker); !checked) return checked;
  return device->change(std::move(*next));
}

void DeviceSet::refresh() {
  for (const auto& device : devices_) device->refresh();
  // There may be a new default route by another interface.
  if (auto done = forwarding_.widen(forwarding_settings()); !done && !devices_.empty()) {
    const Log& log = devices_.front()->settings().config.log;
    if (log) log(LogLevel::warning, done.error().message());
  }
}

void DeviceSet::paths_changed() {
  for (const auto& device : devices_) device->paths_changed();
}

void DeviceSet::neighbors_changed(const std::optional<std::vector<host::NeighborKey>>& changed) {
  for (const auto& device : devices_) device->neighbors_changed(changed);
}

std::set<unsigned> DeviceSet::next_hop_interfaces() const {
  std::set<unsigned> interfaces;
  for (const auto& device : devices_) device->list_next_hop_interfaces(interfaces);
  return interfaces;
}

std::set<proto::Ipv4Address> DeviceSet::endpoints() const {
  std::set<proto::Ipv4Address> all;
  for (const auto& device : devices_) {
    for (const TunnelConfig& tunnel : device->settings().config.tunnels) {
      if (tunnel.local) all.insert(*tunnel.local);
      if (tunnel.remote.is_fixed()) all.insert(tunnel.remote.address());
    }
  }
  return all;
}

void DeviceSet::restore() {
  for (const auto& device : devices_) device->restore();
}

void DeviceSet::check_firewall() {
  for (const auto& device : devices_) device->check_firewall();
}

bool DeviceSet::check_receivers() {
  bool has_found = false;
  for (const auto& device : devices_) has_found |= device->check_receivers();
  return has_found;
}

void DeviceSet::set_warnings(std::string_view check, const WarningsByDevice& warnings) {
  for (const auto& device : devices_) {
    const auto found = warnings.find(device->settings().config.device);
    device->set_warnings(check,
                         found == warnings.end() ? std::vector<std::string>{} : found->second);
  }
}

std::vector<TunnelClaim> DeviceSet::claims() const {
  std::vector<TunnelClaim> all;
  for (const auto& device : devices_) {
    auto claims = tunnel_claims(device->settings().config);
    std::move(claims.begin(), claims.end(), std::back_inserter(all));
  }
  return all;
}

void DeviceSet::check_ecn() {
  for (const auto& device : devices_) device->check_ecn();
}

void DeviceSet::stop() {
  for (const auto& device : devices_) device->stop();
}

std::vector<DeviceFlows> DeviceSet::flows(std::string_view name, std::size_t limit) const {
  std::vector<DeviceFlows> all;
  for (const auto& device : devices_) {
    const std::string& device_name = device->settings().config.device;
    if (!name.empty() && device_name != name) continue;
    all.push_back({device_name, device->flow_table(), device->flows(limit)});
  }
  return all;
}

std::vector<unsigned> DeviceSet::indices() const {
  std::vector<unsigned> all;
  for (const auto& device : devices_) all.push_back(device->index());
  return all;
}

std::vector<EngineStatus> DeviceSet::statuses() const {
  std::vector<EngineStatus> all;
  all.reserve(devices_.size());
  for (const auto& device : devices_) all.push_back(device->status());
  return all;
}

std::vector<DeviceReport> DeviceSet::reports() const {
  std::vector<DeviceReport> all;
  all.reserve(devices_.size());
  for (const auto& device : devices_) all.push_back({device->status(), device->warnings()});
  return all;
}

std::vector<std::string> DeviceSet::up_lines() const {
  std::vector<std::string> lines;
  for (const auto& device : devices_)
    lines.push_back(up_line(device->settings().config, device->status()));
  return lines;
}

}  // namespace culvert::program
