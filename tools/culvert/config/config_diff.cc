#include "tools/culvert/config/config_diff.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <unordered_map>

#include "tools/culvert/config/ndp_options.h"
#include "tools/culvert/config/option_table.h"

namespace culvert::program {
namespace {

Changes::Counts compare_tunnels(const std::vector<TunnelConfig>& before,
                                const std::vector<TunnelConfig>& after) {
  std::unordered_map<std::string_view, const TunnelConfig*> by_name;
  for (const TunnelConfig& tunnel : before) by_name.emplace(tunnel.name, &tunnel);
  Changes::Counts counts;
  for (const TunnelConfig& tunnel : after) {
    const auto found = by_name.find(tunnel.name);
    if (found == by_name.end()) {
      ++counts.added;
      continue;
    }
    if (*found->second != tunnel) ++counts.changed;
    by_name.erase(found);
  }
  counts.removed = by_name.size();
  return counts;
}

Changes::Counts compare_ndp(const std::vector<NdpConfig>& before,
                            const std::vector<NdpConfig>& after) {
  std::map<std::string_view, std::string> by_interface;
  for (const NdpConfig& section : before) by_interface[section.interface] = ndp_toml(section);
  Changes::Counts counts;
  for (const NdpConfig& section : after) {
    const auto found = by_interface.find(section.interface);
    if (found == by_interface.end()) {
      ++counts.added;
      continue;
    }
    if (found->second != ndp_toml(section)) ++counts.changed;
    by_interface.erase(found);
  }
  counts.removed = by_interface.size();
  return counts;
}

/// The settings of a device without its tunnels and without the values of check_change().
auto device_fields(const host::DeviceSettings& device) {
  return std::tie(device.config.mtu, device.config.min_pmtu, device.addresses6, device.addresses4,
                  device.routes6, device.routes4, device.routed6, device.routed4,
                  device.forwarding);
}

std::string describe(const Changes::Counts& counts, const std::string& thing) {
  std::string text;
  for (const auto& [count, verb] : {std::pair{counts.added, " added"},
                                    {counts.changed, " changed"},
                                    {counts.removed, " removed"}}) {
    if (count == 0) continue;
    text += text.empty() ? std::to_string(count) + " " + thing + (count == 1 ? "" : "s")
                         : ", " + std::to_string(count);
    text += verb;
  }
  return text;
}

}  // namespace

const host::DeviceSettings* find_device(const Settings& settings, std::string_view name) {
  const auto found = std::find_if(
      settings.devices.begin(), settings.devices.end(),
      [&](const host::DeviceSettings& device) { return device.config.device == name; });
  return found == settings.devices.end() ? nullptr : &*found;
}

std::string Changes::to_text() const {
  std::string text;
  for (const std::string& part :
       {describe(devices, "device"), describe(tunnels, "tunnel"), describe(ndp, "ndp section")}) {
    text += (text.empty() || part.empty() ? "" : "; ") + part;
  }
  return text.empty() ? "nothing has changed" : text;
}

Changes find_changes(const Settings& before, const Settings& after) {
  Changes changes;
  for (const host::DeviceSettings& device : after.devices) {
    const host::DeviceSettings* old = find_device(before, device.config.device);
    if (old == nullptr) {
      ++changes.devices.added;
      continue;
    }
    if (device_fields(*old) != device_fields(device)) ++changes.devices.changed;
    const auto counts = compare_tunnels(old->config.tunnels, device.config.tunnels);
    changes.tunnels.added += counts.added;
    changes.tunnels.changed += counts.changed;
    changes.tunnels.removed += counts.removed;
  }
  for (const host::DeviceSettings& device : before.devices) {
    if (find_device(after, device.config.device) == nullptr) ++changes.devices.removed;
  }
  changes.ndp = compare_ndp(before.ndp, after.ndp);
  return changes;
}

Result<void> check_change(const host::DeviceSettings& before, const host::DeviceSettings& after) {
  const auto word = find_fixed_change(before.config, before.config.workers, after.config);
  if (!word) return {};
  return Unexpected{
      Error{.code = 0,
            .operation = "change device",
            .object = before.config.device + ", word '" + std::string{*word} + "'",
            .advice = "cannot change while the device runs: stop and start culvert; nothing was "
                      "changed"}};
}

}  // namespace culvert::program
