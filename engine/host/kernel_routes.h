// The kernel's IPv6 routes for an NDP proxy, by rtnetlink(7): the decision for one target, and the
// routes that concern an interface and its rules.
#pragma once

#include <memory>
#include <set>
#include <span>

#include "engine/ndp/ndp_config.h"
#include "engine/ndp/ndp_routes.h"
#include "io/netlink/netlink.h"

struct nlmsghdr;

namespace culvert::host {

/// Asks the kernel for each target: about 5 us, without RTNL, so no change of a route is ever
/// missed. One thread.
class KernelRoutes final : public NdpRoutes {
 public:
  [[nodiscard]] static Result<std::unique_ptr<NdpRoutes>> open();

  [[nodiscard]] NdpRoute find(const proto::Ipv6Address& target,
                              unsigned asking_index) noexcept override;

 private:
  explicit KernelRoutes(netlink::NlSocket socket) : socket_(std::move(socket)) {}
  netlink::NlSocket socket_;
};

/// Reads the routes of all tables. `asking_index`: the proxy's interface. `devices`: the interfaces
/// of tunnels, whose routes are left out. Only prefixes that overlap with a rule with `auto` are
/// listed.
[[nodiscard]] Result<NdpKernelRoutes> find_kernel_routes(netlink::Netlink& netlink,
                                                         unsigned asking_index,
                                                         const std::set<unsigned>& devices,
                                                         std::span<const NdpRule> rules);

/// What one message about a route (RTM_NEWROUTE, RTM_DELROUTE) adds to that.
[[nodiscard]] NdpKernelRoutes read_kernel_route(nlmsghdr* message, unsigned asking_index,
                                                const std::set<unsigned>& devices,
                                                std::span<const NdpRule> rules);

}  // namespace culvert::host
