// The kernel's IPv6 routes for an NDP proxy, by rtnetlink(7): the decision for one target, and the
// routes that concern an interface and its rules.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>
#include <span>
#include <utility>

#include "engine/host/host_route_claim.h"
#include "engine/ndp/ndp_config.h"
#include "engine/ndp/ndp_routes.h"
#include "io/netlink/netlink.h"

struct nlmsghdr;

namespace culvert::host {

/// The protocol number of the host routes that culvert adds, by which they are told from others
/// (rtnetlink(7), rtm_protocol). Nobody else is known to use it.
inline constexpr std::uint8_t kHostRouteProtocol = 141;

/// Asks the kernel for each target: about 5 us, without RTNL, so no change of a route is ever
/// missed. One thread.
class KernelRoutes final : public NdpRoutes {
 public:
  /// `claim`: that of all proxies of this process. Without a metric of its own (see HostRouteClaim)
  /// it adds no host route.
  [[nodiscard]] static Result<std::unique_ptr<KernelRoutes>> open(
      std::shared_ptr<HostRouteClaim> claim);
  /// Claims the metric of host routes, which add_host_route() does otherwise, and removes the routes
  /// with it that a process which did not end in order has left. Returns their number.
  std::size_t claim_host_routes() noexcept;

  [[nodiscard]] NdpRoute find(const proto::Ipv6Address& target,
                              unsigned asking_index) noexcept override;
  [[nodiscard]] bool add_host_route(const proto::Ipv6Address& target, unsigned interface_index,
                                    std::chrono::seconds lifetime, bool is_new) noexcept override;
  void remove_host_route(const proto::Ipv6Address& target,
                         unsigned interface_index) noexcept override;

 private:
  KernelRoutes(netlink::NlSocket socket, std::shared_ptr<HostRouteClaim> claim)
      : socket_(std::move(socket)), claim_(std::move(claim)) {}
  [[nodiscard]] std::size_t remove_left_routes(std::uint32_t metric) noexcept;
  netlink::NlSocket socket_;
  std::shared_ptr<HostRouteClaim> claim_;
  std::uint32_t metric_ = 0;  ///< of our host routes; 0: not claimed
};

/// Tells whether IPv6 routes have changed since it was opened. While they change, a list of all of them is
/// not complete and expensive: the kernel starts over for each part of the list.
class RouteChanges {
 public:
  [[nodiscard]] static Result<RouteChanges> open();
  [[nodiscard]] bool any() const noexcept;

 private:
  explicit RouteChanges(netlink::NlSocket socket) : socket_(std::move(socket)) {}
  netlink::NlSocket socket_;
};

struct KernelRoutesFound {
  NdpKernelRoutes routes;
  /// False: others changed routes all the while, so some may be missing. Read again later.
  bool is_complete = true;
};
/// Reads the routes of all tables. `asking_index`: the proxy's interface. `devices`: the interfaces
/// of tunnels, whose routes are left out. Only prefixes that overlap with a rule with `auto` are
/// listed.
[[nodiscard]] Result<KernelRoutesFound> find_kernel_routes(netlink::Netlink& netlink,
                                                           unsigned asking_index,
                                                           const std::set<unsigned>& devices,
                                                           std::span<const NdpRule> rules);

/// What one message about a route (RTM_NEWROUTE, RTM_DELROUTE) adds to that.
[[nodiscard]] NdpKernelRoutes read_kernel_route(nlmsghdr* message, unsigned asking_index,
                                                const std::set<unsigned>& devices,
                                                std::span<const NdpRule> rules);

}  // namespace culvert::host
