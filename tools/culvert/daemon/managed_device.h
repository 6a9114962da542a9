// ManagedDevice: one device with its engine and its kernel state. bring_up() opens the engine and
// sets MTU, addresses and routes. refresh() adapts them after the network has changed. The kernel removes all of it together with the TUN device. One thread.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/engine.h"
#include "engine/host/address_sync.h"
#include "engine/host/host_check.h"
#include "engine/host/next_hop_finder.h"
#include "io/netlink/netlink.h"
#include "tools/culvert/config/settings.h"
#include "tools/culvert/daemon/ecn_check.h"
#include "tools/culvert/daemon/warnings.h"

namespace culvert::program {

/// Engine::open, or the fake of a test.
using OpenEngine = std::function<Result<std::unique_ptr<Engine>>(const Config&)>;

class ManagedDevice {
 public:
  /// Opens the engine, configures the device and starts the workers. Packets flow when it returns;
  /// those of a tunnel whose `dev` or `local` this host does not have yet flow later, which one line
  /// of the log says. The caller has checked the settings (HostChecker).
  /// On failure nothing is left behind. `netlink` outlives the device.
  [[nodiscard]] static Result<std::unique_ptr<ManagedDevice>> bring_up(
      host::DeviceSettings settings, netlink::Netlink& netlink, const OpenEngine& open);

  /// Applies new settings while the device forwards. Unchanged tunnels lose no packet. The caller
  /// has checked the settings (check_change(), HostChecker). On failure the previous settings are
  /// applied again.
  [[nodiscard]] Result<void> change(host::DeviceSettings next);

  /// Call after links, addresses, routes or rules in the output path have changed.
  void refresh();
  /// Call after the engine has found new paths: path_change_fd(). Gives tunnels with `local any` the
  /// link-local address of their new local endpoint.
  void paths_changed();
  /// Call after addresses of the device or routes by it were removed, or it was set up. Adds what is
  /// missing again, and logs it once a minute at most.
  void restore();
  /// Call after rules of the firewall have changed: warnings() has those that break the device.
  void check_firewall();
  /// Looks for other receivers of the tunnels' packets: warnings() has them. Returns whether it has found
  /// any.
  bool check_receivers();
  /// Sets the warnings that another check has found.
  void set_warnings(std::string_view check, std::vector<std::string> sentences) {
    warnings_.set(check, std::move(sentences), settings_.config.log);
  }
  /// Call every few seconds. Logs which tunnels drop most packets because of their ECN fields, once in
  /// ten minutes each.
  void check_ecn();
  /// Call after these neighbors have changed; nullopt: any may have.
  void neighbors_changed(const std::optional<std::vector<host::NeighborKey>>& changed);
  /// Appends the interfaces of the neighbors on which its next hops depend.
  void list_next_hop_interfaces(std::set<unsigned>& interfaces) const;
  void stop() { engine_->stop(); }

  [[nodiscard]] EngineStatus status() const { return engine_->status(); }
  /// What keeps the device from working. The log has had each sentence once.
  [[nodiscard]] std::vector<std::string> warnings() const { return warnings_.all(); }
  [[nodiscard]] unsigned index() const noexcept { return state_.device_index(); }
  [[nodiscard]] FlowTableStatus flow_table() const { return engine_->flow_table(); }
  [[nodiscard]] std::vector<FlowStatus> flows(std::size_t limit) const {
    return engine_->flows(limit);
  }
  [[nodiscard]] int failure_fd() const noexcept { return engine_->failure_fd(); }
  [[nodiscard]] int path_change_fd() const noexcept { return engine_->path_change_fd(); }
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
  Result<void> apply_to_engine(host::DeviceSettings next);
  Result<void> apply_to_kernel();
  [[nodiscard]] host::DeviceState wanted_state(const EngineStatus& status);
  [[nodiscard]] bool has_ipv6(const EngineStatus& status) const;
  void find_waiting(bool chosen_too);
  [[nodiscard]] std::string reason_to_wait(host::HostChecker& checker,
                                           const TunnelConfig& tunnel) const;
  void log_waiting(const std::vector<std::string>& waiting, const std::string& reason) const;
  void choose_next_hops();
  void choose_next_hop(std::size_t tunnel, host::NextHopFinder& finder);
  void warn_of_restored(const std::string& line);
  void log(LogLevel level, std::string_view line) const;

  host::DeviceSettings settings_;
  netlink::Netlink& netlink_;
  std::unique_ptr<Engine> engine_;
  host::AddressSync state_;
  std::uint16_t mtu_bytes_ = 0;
  bool receives_raw_ = false;  ///< by raw sockets, behind the firewall
  std::chrono::steady_clock::time_point next_restored_line_;  ///< warn_of_restored()
  std::optional<std::string> bypassed_rule_;  ///< the rule for which `send auto` means raw

  struct TunnelKernelState {
    proto::Ipv4Address local;                   ///< the local endpoint in use, or the last one
    std::optional<host::NeighborKey> neighbor;  ///< its next hop depends on this neighbor
    bool is_waiting = false;                    ///< this host does not have its `dev` or `local`
    bool is_chosen = false;  ///< the engine has its next hop, or knows that there is none
  };
  std::vector<TunnelKernelState> tunnels_;  ///< in the order of settings_.config.tunnels
  EcnCheck ecn_check_;
  Warnings warnings_;
  std::vector<std::string> waiting_;  ///< names of the tunnels that are waiting, as logged last
  /// The link-layer addresses of the next hops at the last look-up.
  std::map<host::NeighborKey, std::optional<io::EthernetAddress>> neighbors_;
};

/// "culvert: he-ipv6 is up: sit 192.0.2.1 -> 198.51.100.1, mtu 1480, io uring, receive packet, send
/// packet, 1 worker". With several tunnels it has their number instead of the endpoints.
[[nodiscard]] std::string up_line(const Config& config, const EngineStatus& status);

}  // namespace culvert::program
