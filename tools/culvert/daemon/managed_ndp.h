// One NDP proxy kept in step with the kernel: it starts when its interface is there, follows the
// interface's addresses, and waits when it goes. One thread.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/engine.h"
#include "engine/host/ndp_link.h"
#include "engine/ndp/ndp_proxy.h"
#include "tools/culvert/show/ndp_report.h"

namespace culvert::program {

/// NdpProxy::open, or what a test puts in its place.
using OpenNdp = std::function<Result<std::unique_ptr<NdpProxy>>(NdpConfig)>;
/// Takes a line for stdout, newline included.
using PrintLine = std::function<void(std::string_view)>;

class ManagedNdp {
 public:
  /// Opens the proxy and starts its thread. An interface that is not there is no error: it says
  /// so and waits. `netlink` outlives the proxy.
  [[nodiscard]] static Result<std::unique_ptr<ManagedNdp>> start(
      NdpConfig config, netlink::Netlink& netlink, const OpenNdp& open, PrintLine say,
      const std::vector<NdpTunnelPrefix>& prefixes);

  /// After links or IPv6 addresses have changed.
  void link_changed();
  /// After neighbors have changed.
  void neighbors_changed();
  void tunnels_changed(const std::vector<NdpTunnelPrefix>& prefixes);
  /// Logs idle_rules(), once until they are others: clients may be expected to come later.
  void tell_of_idle_rules(const std::vector<NdpTunnelPrefix>& prefixes);
  /// Other settings for the same interface, in place. Fails where the proxy has to be made anew.
  [[nodiscard]] Result<void> apply(const NdpConfig& config);
  void stop() { proxy_->stop(); }

  [[nodiscard]] const NdpConfig& config() const noexcept { return config_; }
  [[nodiscard]] const std::string& interface() const noexcept { return config_.interface; }
  [[nodiscard]] NdpReport report() const { return {proxy_->status(), waits_because_}; }

 private:
  ManagedNdp(NdpConfig config, netlink::Netlink& netlink, std::unique_ptr<NdpProxy> proxy,
             PrintLine print)
      : config_(std::move(config)),
        netlink_(netlink),
        proxy_(std::move(proxy)),
        print_(std::move(print)) {}
  void take_link(const host::NdpLinkFound& found);
  void say_state() const;
  void warn(const Error& error) const;

  NdpConfig config_;
  netlink::Netlink& netlink_;
  std::unique_ptr<NdpProxy> proxy_;
  PrintLine print_;
  host::NdpLinkFound link_{.interface = {}, .unusable_reason = "nobody has looked yet"};
  std::string waits_because_ = link_.unusable_reason;
  std::vector<proto::Ipv6Address> on_link_;
  std::string told_of_idle_rules_;  ///< what was said last
};

/// "culvert: ndp eth0 answers for 2001:db8:0:1::/64 (auto); all-multicast, since …", or what it
/// waits for.
[[nodiscard]] std::string ndp_line(const NdpReport& report);

/// Of the rules with `auto`, the prefixes of those that can answer for nothing, for no tunnel's
/// prefix overlaps with them. "2001:db8:0:1::/64, …"; empty: there are none.
[[nodiscard]] std::string idle_rules(const NdpConfig& config,
                                     const std::vector<NdpTunnelPrefix>& prefixes);

/// The prefixes behind all tunnels of these devices. A tunnel without prefixes has all there are.
[[nodiscard]] std::vector<NdpTunnelPrefix> tunnel_prefixes(std::span<const EngineStatus> devices);

}  // namespace culvert::program
