// ManagedNdp: one NDP proxy that follows the kernel. It answers while its interface exists and is
// up, follows the interface's addresses and neighbors, and waits while there is no usable
// interface. One thread.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/engine.h"
#include "engine/host/ndp_link.h"
#include "engine/ndp/ndp_proxy.h"
#include "tools/culvert/show/ndp_report.h"

namespace culvert::program {

/// NdpProxy::open, or the fake of a test.
using OpenNdp = std::function<Result<std::unique_ptr<NdpProxy>>(NdpConfig)>;
/// The number of rules in one line of text. A section may have thousands.
inline constexpr std::size_t kListedRules = 16;

/// Prints a line to stdout. The line includes its newline.
using PrintLine = std::function<void(std::string_view)>;

class ManagedNdp {
 public:
  /// Opens the proxy and starts its thread. A missing interface is not an error: the proxy prints
  /// the reason and waits. `prefixes`: the prefixes behind the tunnels. `netlink` outlives the
  /// proxy.
  [[nodiscard]] static Result<std::unique_ptr<ManagedNdp>> start(
      NdpConfig config, netlink::Netlink& netlink, const OpenNdp& open, PrintLine print,
      const std::vector<NdpTunnelPrefix>& prefixes);

  /// Call after links or IPv6 addresses have changed.
  void link_changed();
  /// Call after neighbors have changed.
  void neighbors_changed();
  /// Call after routes have changed.
  void routes_changed();
  /// Call after tunnels have changed, with the prefixes of all tunnels.
  void tunnels_changed(const std::vector<NdpTunnelPrefix>& prefixes);
  /// Logs idle_rules() if they have changed since the last call. It is not an error: tunnels may be
  /// added later.
  void log_idle_rules(const std::vector<NdpTunnelPrefix>& prefixes);
  /// Applies new settings for the same interface. Fails if they need a new proxy (other table
  /// sizes).
  [[nodiscard]] Result<void> apply(const NdpConfig& config);
  void stop() { proxy_->stop(); }
  /// False: others changed addresses or routes while they were read, so complete() must be called
  /// later.
  [[nodiscard]] bool is_complete() const noexcept { return !lacks_link_ && !lacks_routes_; }
  /// Reads again what is not complete; routes only if `are_routes_quiet`.
  void complete(bool are_routes_quiet);

  [[nodiscard]] const NdpConfig& config() const noexcept { return config_; }
  [[nodiscard]] host::NdpInterest interest() const {
    return {link_.interface.index, config_.rules};
  }
  [[nodiscard]] const std::string& interface() const noexcept { return config_.interface; }
  [[nodiscard]] NdpReport report() const { return {proxy_->status(), waits_because_}; }

 private:
  ManagedNdp(NdpConfig config, netlink::Netlink& netlink, std::unique_ptr<NdpProxy> proxy,
             PrintLine print)
      : config_(std::move(config)),
        netlink_(netlink),
        proxy_(std::move(proxy)),
        print_(std::move(print)) {}
  [[nodiscard]] Result<host::NdpLinkFound> find_link();
  void find_rule_interfaces();
  void apply_link(const host::NdpLinkFound& found);
  void warn_of_wide_rules() const;
  void print_state() const;
  void warn(const Error& error) const;

  NdpConfig config_;
  netlink::Netlink& netlink_;
  std::unique_ptr<NdpProxy> proxy_;
  PrintLine print_;
  host::NdpLinkFound link_{.interface = {}, .unusable_reason = "the interface is not read yet"};
  std::string waits_because_ = link_.unusable_reason;
  std::vector<NdpNeighbor> on_link_;
  NdpKernelRoutes routes_;
  bool lacks_link_ = false, lacks_routes_ = false;  ///< is_complete()
  NdpInterfaces rule_interfaces_;                   ///< those that rules name
  std::set<unsigned> devices_;                      ///< interfaces of the tunnels
  std::vector<std::string> logged_idle_rules_;      ///< the last that were logged
};

/// "culvert: ndp eth0 answers for 2001:db8:0:1::/64 (auto); all-multicast, since …", or
/// "culvert: ndp eth0 waits: REASON". It has the first kListedRules rules; `show` has all.
[[nodiscard]] std::string ndp_line(const NdpReport& report);

/// The prefixes of the rules with `auto` that overlap with no tunnel's prefix, so that they answer
/// for no address.
[[nodiscard]] std::vector<std::string> idle_rules(const NdpConfig& config,
                                                  const std::vector<NdpTunnelPrefix>& prefixes);

/// The IPv6 prefixes behind all tunnels of these devices. A tunnel without prefixes has ::/0.
[[nodiscard]] std::vector<NdpTunnelPrefix> tunnel_prefixes(std::span<const EngineStatus> devices);

}  // namespace culvert::program
