// A fake engine. It forwards nothing and reports the status that the test sets. Its device is a
// real TUN device.
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "engine/engine.h"
#include "io/tun.h"

namespace culvert::program {

/// The calls of all fake engines of a test. It outlives them.
struct FakeEngineLog {
  int opened = 0, started = 0, applied = 0, refreshed = 0, stopped = 0, alive = 0;
};

class FakeEngine final : public Engine {
 public:
  FakeEngine(const Config& config, io::Tun tun, FakeEngineLog& log)
      : tun_(std::move(tun)),
        failure_{::eventfd(0, EFD_CLOEXEC)},
        path_change_{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)},
        log_(log) {
    ++log_.opened;
    ++log_.alive;
    status_.device = tun_.name;
    status_.device_index = tun_.index;
    status_.io = "uring";
    status_.receive = "packet";
    status_.workers = config.workers;
    set_config(config);
  }
  ~FakeEngine() override { --log_.alive; }

  Result<void> start() override {
    ++log_.started;
    status_.running = true;
    return {};
  }
  Result<void> apply(const Config& config) override {
    if (const auto valid = validate(config); !valid) return valid;
    if (refuses_to_apply) return Unexpected{Error{0, "apply", config.device, "as the test says"}};
    ++log_.applied;
    set_config(config);
    return {};
  }
  void refresh() override {
    ++log_.refreshed;
    if (on_refresh) on_refresh(status_);
  }
  void set_next_hop(std::size_t tunnel, io::NextHop next_hop, std::string reason) override {
    next_hops.resize(status_.tunnels.size());
    next_hops.at(tunnel) = next_hop;
    status_.tunnels.at(tunnel).send = next_hop ? "packet" : "raw";
    status_.tunnels.at(tunnel).send_reason = std::move(reason);
  }
  void set_outer_interface(std::size_t tunnel, unsigned interface_index) override {
    outer_interfaces.resize(status_.tunnels.size());
    outer_interfaces.at(tunnel) = interface_index;
  }
  void stop() override {
    if (std::exchange(status_.running, false)) ++log_.stopped;
  }
  [[nodiscard]] EngineStatus status() const override { return status_; }
  [[nodiscard]] FlowTableStatus flow_table() const override { return status_.flows; }
  [[nodiscard]] std::vector<FlowStatus> flows(std::size_t) const override { return flow_list; }
  [[nodiscard]] int failure_fd() const noexcept override { return failure_.get(); }
  [[nodiscard]] int path_change_fd() const noexcept override { return path_change_.get(); }

  /// The counters of a tunnel; until the next apply().
  Totals& totals(std::size_t tunnel) { return status_.tunnels.at(tunnel).totals; }
  /// Another local endpoint, as the engine's thread finds and reports it.
  void set_local(std::size_t tunnel, proto::Ipv4Address local) {
    status_.tunnels.at(tunnel).local = local;
    const std::uint64_t one = 1;
    ASSERT_EQ(::write(path_change_.get(), &one, sizeof one), ssize_t{sizeof one});
  }
  /// Reports a failure, as if a worker had lost its device.
  void fail() const {
    const std::uint64_t one = 1;
    ASSERT_EQ(::write(failure_.get(), &one, sizeof one), ssize_t{sizeof one});
  }
  std::function<void(EngineStatus&)> on_refresh;
  std::vector<io::NextHop> next_hops;      ///< by tunnel, the last one set
  std::vector<unsigned> outer_interfaces;  ///< the same
  std::vector<FlowStatus> flow_list;       ///< returned by flows() for each limit
  bool refuses_to_apply = false;

 private:
  void set_config(const Config& config) {
    status_.mtu_bytes = config.mtu.value_or(1480);
    status_.tunnels.clear();
    for (const TunnelConfig& tunnel : config.tunnels) {
      status_.tunnels.push_back({.config = tunnel,
                                 .local = tunnel.local.value_or(proto::Ipv4Address{}),
                                 .mtu_bytes = status_.mtu_bytes,
                                 .send = "raw",
                                 .send_reason = "not chosen",
                                 .totals = {}});
    }
  }

  io::Tun tun_;
  io::Fd failure_, path_change_;
  FakeEngineLog& log_;
  EngineStatus status_;
};

/// Opens a fake in place of Engine::open.
inline Result<std::unique_ptr<Engine>> open_fake(const Config& config, FakeEngineLog& log) {
  auto tun = io::open_tun(config.device, config.workers);
  if (!tun) return Unexpected{tun.error()};
  return std::unique_ptr<Engine>{std::make_unique<FakeEngine>(config, std::move(*tun), log)};
}

}  // namespace culvert::program
