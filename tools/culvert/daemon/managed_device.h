// One device from settings to packets, and the kernel kept in step with it: endpoints checked, the
// engine opened, MTU, addresses and routes set; and again after the network has changed. Everything
// made here goes with the device. One thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "engine/host/address_sync.h"
#include "engine/host/next_hop_finder.h"
#include "io/netlink/netlink.h"
#include "tools/culvert/config/settings.h"

namespace culvert::program {

/// Engine::open, or what a test puts in its place.
using OpenEngine = std::function<Result<std::unique_ptr<Engine>>(const Config&)>;

class ManagedDevice {
 public:
  /// Opens the engine, configures the device and starts the workers: packets flow afterwards. On
  /// failure nothing is left behind. `netlink` outlives the device.
  [[nodiscard]] static Result<std::unique_ptr<ManagedDevice>> bring_up(
      host::DeviceSettings settings, netlink::Netlink& netlink, const OpenEngine& open);

  /// Other settings for the same device, while it forwards: tunnels that stay as they are notice
  /// nothing. They have been checked (check_change(), HostChecker). On failure all is as before.
  [[nodiscard]] Result<void> change(host::DeviceSettings next);

  /// After links, addresses, routes, or what stands in the output path have changed.
  void refresh();
  /// After these neighbors have changed; nothing: any may have.
  void neighbors_changed(const std::optional<std::vector<host::NeighborKey>>& changed);
  void stop() { engine_->stop(); }

  [[nodiscard]] EngineStatus status() const { return engine_->status(); }
  [[nodiscard]] FlowTableStatus flow_table() const { return engine_->flow_table(); }
  [[nodiscard]] std::vector<FlowStatus> flows(std::size_t limit) const {
    return engine_->flows(limit);
  }
  [[nodiscard]] int failure_fd() const noexcept { return engine_->failure_fd(); }
  [[nodiscard]] const host::DeviceSettings& settings() const noexcept { return settings_; }

 private:
  ManagedDevice(host::DeviceSettings settings, netlink::Netlink& netlink,
                std::unique_ptr<Engine> engine)
      : settings_(std::move(settings)),
        netlink_(netlink),
        engine_(std::move(engine)),
        state_(netlink, engine_->status().device_index),
        tunnels_(settings_.config.tunnels.size()) {}
  Result<void> configure();
  Result<void> take(host::DeviceSettings next);
  Result<void> follow();
  [[nodiscard]] host::DeviceState wanted_state(const EngineStatus& status);
  void choose_next_hops();
  void choose_next_hop(std::size_t tunnel, host::NextHopFinder& finder);
  void log(LogLevel level, std::string_view line) const;

  host::DeviceSettings settings_;
  netlink::Netlink& netlink_;
  std::unique_ptr<Engine> engine_;
  host::AddressSync state_;
  std::uint16_t mtu_bytes_ = 0;
  std::optional<std::string> in_output_path_;  ///< why `send auto` means raw

  struct TunnelKernelState {
    proto::Ipv4Address local;                   ///< in use, or the last that was
    std::optional<host::NeighborKey> neighbor;  ///< a change of which changes its next hop
    bool is_chosen = false;  ///< the engine has been told a next hop, or that it has none
  };
  std::vector<TunnelKernelState> tunnels_;  ///< as settings_.config.tunnels
  /// Where packets to the next hops went when they were looked up.
  std::map<host::NeighborKey, std::optional<io::EthernetAddress>> neighbors_;
};

/// "culvert: he-ipv6 is up: sit 192.0.2.1 -> 198.51.100.1, mtu 1480, io uring, receive packet, send
/// packet, 1 worker"; of several tunnels how many there are
[[nodiscard]] std::string up_line(const Config& config, const EngineStatus& status);

}  // namespace culvert::program
