// DeviceSet: all devices of a process. start() starts all of them. A change of one device does not
// disturb the others. One thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/host/forwarding.h"
#include "tools/culvert/config/config_diff.h"
#include "tools/culvert/config/tunnel_command.h"
#include "tools/culvert/daemon/managed_device.h"
#include "tools/culvert/daemon/tunnel_claims.h"
#include "tools/culvert/show/flow_report.h"
#include "tools/culvert/show/report.h"

namespace culvert::program {

class DeviceSet {
 public:
  struct Events {
    std::function<Result<void>(const ManagedDevice&)> added;  ///< after a device is up
    std::function<void(const std::string& name)> removing;    ///< before a device is removed
  };
  /// `waits`: a tunnel whose `dev` or `local` this host does not have is no error, but waits for it.
  DeviceSet(OpenEngine open, bool waits, Events events)
      : open_(std::move(open)), waits_(waits), events_(std::move(events)) {}

  /// Starts all devices. After an error some may be up; clear() removes them.
  [[nodiscard]] Result<void> start(Settings settings);

  /// Applies new settings to all devices. Checks them before it changes anything. If the kernel
  /// then refuses a change, the previous settings are applied again; if that fails too, the error
  /// says so.
  [[nodiscard]] Result<Changes> reload(Settings next);
  /// Changes one tunnel of one device. On failure the previous settings are applied again.
  [[nodiscard]] Result<void> change(const TunnelCommand& command);

  /// Call after links, addresses, routes or rules in the output path have changed.
  void refresh();
  /// Call after an engine has reported it: Engine::path_change_fd().
  void paths_changed();
  /// Call after these neighbors have changed; nullopt: any may have.
  void neighbors_changed(const std::optional<std::vector<host::NeighborKey>>& changed);
  /// The interfaces of the neighbors on which next hops depend.
  [[nodiscard]] std::set<unsigned> next_hop_interfaces() const;
  /// The addresses on whose routes the tunnels of all devices depend: their `local` and `remote`.
  [[nodiscard]] std::set<proto::Ipv4Address> endpoints() const;
  /// Call after addresses of a device or routes by it were removed, or a device was set up.
  void restore();
  /// Call after rules of the firewall have changed.
  void check_firewall();
  /// Looks for other receivers of the tunnels' packets (host::other_receivers). Returns whether it has
  /// found any.
  bool check_receivers();
  /// Sets the warnings of one check for all devices, those without any too: ManagedDevice::warnings().
  using WarningsByDevice = std::map<std::string, std::vector<std::string>>;
  void set_warnings(std::string_view check, const WarningsByDevice& warnings);
  /// The outer packets that the tunnels of all devices receive.
  [[nodiscard]] std::vector<TunnelClaim> claims() const;
  /// Call every few seconds: looks for tunnels that drop most packets because of their ECN fields.
  void check_ecn();
  /// Stops all workers. The devices stay until clear().
  void stop();
  /// Restores the sysctls and removes all devices.
  void clear();

  [[nodiscard]] std::vector<EngineStatus> statuses() const;
  [[nodiscard]] std::vector<DeviceReport> reports() const;
  /// The interface indices of the devices.
  [[nodiscard]] std::vector<unsigned> indices() const;
  /// The flow tables, with at most `limit` flows each. `name`: of this device; empty: of all.
  [[nodiscard]] std::vector<DeviceFlows> flows(std::string_view name, std::size_t limit) const;
  /// The line "culvert: NAME is up: …" of each device, without the newline.
  [[nodiscard]] std::vector<std::string> up_lines() const;

 private:
  using Devices = std::vector<std::unique_ptr<ManagedDevice>>;
  [[nodiscard]] Result<void> bring_up(host::DeviceSettings settings);
  void remove(const std::string& name);
  [[nodiscard]] ManagedDevice* find(std::string_view name);
  [[nodiscard]] Settings settings() const;
  [[nodiscard]] Result<void> check(const Settings& before, const Settings& next);
  [[nodiscard]] Result<void> apply(const Settings& next);

  [[nodiscard]] std::vector<const host::DeviceSettings*> all_settings() const;
  [[nodiscard]] host::ForwardingSettings forwarding_settings() const;
  void warn_about_forwarding() const;

  [[nodiscard]] Result<void> check(const host::DeviceSettings& device,
                                   host::HostChecker& checker) const;

  OpenEngine open_;
  bool waits_;
  Events events_;
  std::optional<netlink::Netlink> netlink_;
  std::vector<NdpConfig> ndp_;
  Devices devices_;
  host::ForwardingGuard forwarding_;
};

}  // namespace culvert::program
