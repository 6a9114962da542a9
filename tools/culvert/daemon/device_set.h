// All devices of a process: started together, changed one by one while the others forward. One
// thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/host/forwarding.h"
#include "tools/culvert/config/config_diff.h"
#include "tools/culvert/config/tunnel_command.h"
#include "tools/culvert/daemon/managed_device.h"
#include "tools/culvert/show/flow_report.h"

namespace culvert::program {

class DeviceSet {
 public:
  /// Called when a device has been brought up, and before one is taken down.
  struct Events {
    std::function<Result<void>(const ManagedDevice&)> came;
    std::function<void(const std::string& name)> goes;
  };
  DeviceSet(OpenEngine open, Events events) : open_(std::move(open)), events_(std::move(events)) {}

  /// All of them, or an error: what is there by then goes with clear().
  [[nodiscard]] Result<void> start(Settings settings);

  /// Other settings for all. What can be checked is checked before anything is changed; if the
  /// kernel refuses something then, what was changed is changed back.
  [[nodiscard]] Result<Changes> reload(Settings next);
  /// One tunnel of one device.
  [[nodiscard]] Result<void> change(const TunnelCommand& command);

  void refresh();
  void neighbors_changed(const std::optional<std::vector<host::NeighborKey>>& changed);
  void stop();
  void clear();

  [[nodiscard]] std::vector<EngineStatus> statuses() const;
  /// `name`: empty: of all.
  [[nodiscard]] std::vector<DeviceFlows> flows(std::string_view name, std::size_t limit) const;
  [[nodiscard]] std::vector<std::string> up_lines() const;

 private:
  using Devices = std::vector<std::unique_ptr<ManagedDevice>>;
  [[nodiscard]] Result<void> bring_up(host::DeviceSettings settings);
  void take_down(const std::string& name);
  [[nodiscard]] ManagedDevice* find(std::string_view name);
  [[nodiscard]] Settings settings() const;
  [[nodiscard]] Result<void> check(const Settings& before, const Settings& next);
  [[nodiscard]] Result<void> bring_to(const Settings& next);

  [[nodiscard]] host::ForwardingSettings wish() const;
  void warn_about_forwarding() const;

  OpenEngine open_;
  Events events_;
  std::optional<netlink::Netlink> netlink_;
  std::vector<NdpConfig> ndp_;
  Devices devices_;
  host::ForwardingGuard forwarding_;
};

}  // namespace culvert::program
