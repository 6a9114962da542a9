// A fake NDP proxy. It answers no solicitation and records its settings.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "tools/culvert/daemon/managed_ndp.h"

namespace culvert::program {

/// The calls of all fake proxies of a test. It outlives them.
struct FakeNdpLog {
  int opened = 0, alive = 0, lost = 0, applied = 0;
  std::vector<NdpInterface> interfaces;  ///< each that was set
  std::vector<NdpNeighbor> on_link;
  NdpKernelRoutes kernel_routes;
  std::vector<NdpTunnelPrefix> prefixes;
  NdpInterfaces rule_interfaces;
  bool refuses_interface = false;
  bool is_bound = true;  ///< false: as if another interface had the index
};

class FakeNdp final : public NdpProxy {
 public:
  FakeNdp(NdpConfig config, FakeNdpLog& log) : log_(log) {
    status_.config = std::move(config);
    status_.all_multicast = true;
    status_.membership = "all-multicast, since a prefix is too large";
    ++log_.opened;
    ++log_.alive;
  }
  ~FakeNdp() override { --log_.alive; }

  Result<void> start() override { return status_.running = true, Result<void>{}; }
  Result<void> apply(const NdpConfig& config) override {
    if (config.on_link != status_.config.on_link) {
      return Unexpected{
          Error{.code = 0, .operation = "apply", .object = "on_link", .advice = "no"}};
    }
    ++log_.applied;
    status_.config = config;
    return {};
  }
  Result<void> set_interface(const NdpInterface& interface) override {
    if (log_.refuses_interface) {
      return Unexpected{
          Error{.code = 1, .operation = "join", .object = "a group", .advice = "try"}};
    }
    log_.interfaces.push_back(interface);
    status_.interface = interface;
    return {};
  }
  [[nodiscard]] bool is_bound() const override { return log_.is_bound; }
  void lose_interface() override {
    ++log_.lost;
    status_.interface = {};
  }
  void set_tunnel_prefixes(std::vector<NdpTunnelPrefix> prefixes) override {
    log_.prefixes = std::move(prefixes);
  }
  void set_on_link(std::vector<NdpNeighbor> neighbors) override {
    log_.on_link = std::move(neighbors);
  }
  void set_kernel_routes(NdpKernelRoutes routes) override {
    log_.kernel_routes = std::move(routes);
  }
  void set_rule_interfaces(NdpInterfaces interfaces) override {
    log_.rule_interfaces = std::move(interfaces);
  }
  void stop() override { status_.running = false; }
  [[nodiscard]] NdpStatus status() const override { return status_; }

 private:
  FakeNdpLog& log_;
  NdpStatus status_;
};

/// Opens a fake in place of NdpProxy::open.
inline Result<std::unique_ptr<NdpProxy>> open_fake(NdpConfig config, FakeNdpLog& log) {
  return std::unique_ptr<NdpProxy>{std::make_unique<FakeNdp>(std::move(config), log)};
}

}  // namespace culvert::program
