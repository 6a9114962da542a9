#include "engine/engine.h"

#include <sys/eventfd.h>

#include <algorithm>
#include <cerrno>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>

#include "engine/opening.h"
#include "engine/path.h"
#include "engine/snapshot.h"
#include "engine/worker.h"
#include "io/interface_features.h"
#include "io/poller.h"
#include "io/ring.h"
#include "io/take_program.h"
#include "io/thread.h"

namespace culvert {
namespace {

constexpr const char* kNoNextHop = "no next hop is known yet";

/// Device MTU where none is asked for: static 1280 (RFC 4213 3.2.1), dynamic what fits the route.
std::uint16_t default_mtu(const Tunnel& tunnel) {
  if (!tunnel.config.pmtudisc) return proto::kIpv6MinimumMtu;
  const int room = tunnel.path->route_mtu.load() - tunnel.overhead_bytes();
  return static_cast<std::uint16_t>(
      std::clamp(room, int{proto::kIpv6MinimumMtu}, 65'535 - tunnel.overhead_bytes()));
}

Tunnel make_tunnel(const Config& config, std::uint32_t index, std::shared_ptr<Path> path) {
  Tunnel tunnel{.config = config.tunnels[index],
                .index = index,
                .icmp_source = config.icmp_source,
                .path = std::move(path)};
  dispatch(tunnel.config.mode, [&](auto encapsulation, const auto& parameters) {
    tunnel.ip_protocol = encapsulation.kIpProtocol;
    tunnel.encapsulation_bytes =
        static_cast<std::uint16_t>(encapsulation.overhead_bytes(parameters));
    tunnel.has_constant_header = encapsulation.has_constant_header(parameters);
  });
  refresh_path(tunnel, std::chrono::steady_clock::now());
  tunnel.device_mtu = config.mtu.value_or(default_mtu(tunnel));
  return tunnel;
}

io::TakenEndpoints endpoints_of(const Tunnel& tunnel) {
  const auto key = dispatch(tunnel.config.mode, [](auto encapsulation, const auto& parameters) {
    return encapsulation.key_in(parameters);
  });
  return {.remote = tunnel.config.remote,
          .local = tunnel.path->local.load(std::memory_order_relaxed),
          .protocol = tunnel.ip_protocol,
          .key = key.value_or(0),
          .has_key = key ? 1u : 0u};
}

class EngineImplementation final : public Engine {
 public:
  EngineImplementation(Config config, Opened opened, Chosen chosen, std::unique_ptr<Tables> tables,
                       io::Fd failure_event)
      : log_(config.log),
        pins_workers_(config.pin_workers && config.workers > 1),
        config_(std::move(config)),
        opened_(std::move(opened)),
        chosen_(std::move(chosen)),
        tables_(std::move(tables), opened_.workers.size()),
        failure_event_(std::move(failure_event)) {}
  ~EngineImplementation() override { stop(); }

  /// None without pinning.
  Result<void> open_flow_table();
  /// Opens the queues of each worker.
  Result<void> open_workers();

  Result<void> start() override;
  Result<void> apply(const Config& config) override;
  void refresh() override;
  void set_next_hop(std::size_t tunnel, io::NextHop next_hop, std::string reason) override;
  void set_outer_interface(std::size_t tunnel, unsigned interface_index) override;
  void stop() override;
  [[nodiscard]] EngineStatus status() const override;
  [[nodiscard]] std::vector<FlowStatus> flows(std::size_t limit) const override;
  [[nodiscard]] int failure_fd() const noexcept override { return failure_event_.get(); }

 private:
  void log(LogLevel level, std::string_view line) const {
    if (log_) log_(level, line);
  }
  void run_worker(std::size_t index);
  void stop_workers();
  [[nodiscard]] bool kernel_cuts_at(unsigned interface_index);
  [[nodiscard]] std::string send_reason_of(std::size_t tunnel) const;
  [[nodiscard]] Totals totals_of(std::size_t tunnel) const;
  [[nodiscard]] FlowTick flow_tick() const {
    return flow_table_ ? flow_table_->tick(std::chrono::steady_clock::now()) : FlowTick{};
  }

  const Log log_;            ///< the workers' threads read these two,
  const bool pins_workers_;  ///< and config_ changes
  Config config_;
  Opened opened_;
  Chosen chosen_;
  mutable std::mutex mutex_;  ///< status() may come at any time; no worker ever takes it
  std::unique_ptr<FlowTable> flow_table_;  ///< of all workers
  Snapshot<Tables> tables_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<std::thread> threads_;
  std::vector<std::string> send_reasons_;  ///< by tunnel
  io::Fd failure_event_;
};

Result<void> EngineImplementation::open_flow_table() {
  if (!config_.pinning) return {};
  auto table = FlowTable::open(config_.flows);
  if (!table) return Unexpected{table.error()};
  flow_table_ = std::move(*table);
  return {};
}

Result<void> EngineImplementation::open_workers() {
  for (std::size_t i = 0; i < opened_.workers.size(); ++i) {
    const bool has_virtio_header = opened_.workers[i].tun_has_virtio_header;
    auto queues = chosen_.uring ? io::open_ring(std::move(opened_.workers[i]), config_.sizes,
                                                config_.busy_poll, opened_.device)
                                : io::open_poller(std::move(opened_.workers[i]), config_.sizes,
                                                  config_.busy_poll, opened_.device);
    if (!queues) return Unexpected{queues.error()};
    WorkerOptions options{.index = i,
                          .sizes = config_.sizes,
                          .receive = chosen_.receive,
                          .tun_has_virtio_header = has_virtio_header,
                          .tun_takes_udp = opened_.tun_takes_udp,
                          .keeps_house = i == 0};
    options.on_failure = [this](const Error& error) {
      log(LogLevel::error, error.message());
      const std::uint64_t one = 1;
      [[maybe_unused]] const auto written = ::write(failure_event_.get(), &one, sizeof one);
    };
    workers_.push_back(std::make_unique<Worker>(std::move(*queues), tables_, std::move(options)));
  }
  return {};
}

void EngineImplementation::run_worker(std::size_t index) {
  io::set_thread_name(opened_.device + "/" + std::to_string(index));
  if (pins_workers_) {
    if (auto pinned = io::pin_to_cpu(index); !pinned)
      log(LogLevel::warning, pinned.error().message());
  }
  workers_[index]->run();
}

Result<void> EngineImplementation::start() {
  const std::lock_guard lock(mutex_);
  for (std::size_t i = threads_.size(); i < workers_.size(); ++i) {
    tables_.activate(i);
    try {
      threads_.emplace_back([this, i] { run_worker(i); });
    } catch (const std::system_error& error) {
      tables_.deactivate(i);
      stop_workers();
      return Unexpected{Error{.code = error.code().value(),
                              .operation = "start thread",
                              .object = opened_.device,
                              .advice = ""}};
    }
  }
  return {};
}

Result<void> EngineImplementation::apply(const Config& config) {
  if (auto valid = validate(config); !valid) return valid;
  const std::lock_guard lock(mutex_);
  const auto refuse = [&](std::string word) {
    return Unexpected{Error{.code = 0,
                            .operation = "apply",
                            .object = std::move(word),
                            .advice = "cannot change while the device is open"}};
  };
  if (config.device != config_.device) return refuse("device " + config.device);
  if (config.workers != config_.workers) return refuse("workers");
  if (config.io != config_.io) return refuse("io");
  if (config.busy_poll != config_.busy_poll) return refuse("busy_poll");
  if (config.pinning != config_.pinning) return refuse("pinning");
  if (config.flows != config_.flows) return refuse("flows");
  if (config.receive != config_.receive) return refuse("receive");
  if (config.send != config_.send) return refuse("send");
  if (ip_protocols(config) != ip_protocols(config_)) return refuse("mode");
  std::vector<Tunnel> tunnels;
  for (std::uint32_t i = 0; i < config.tunnels.size(); ++i) {
    const TunnelConfig& before = config_.tunnels[i];
    const TunnelConfig& after = config.tunnels[i];
    if (after.name != before.name) return refuse("tunnel " + after.name);
    if (after.dev != before.dev) return refuse("dev " + after.dev);
    if (workers_.size() > 1 && wants_order_across_workers(after))
      return refuse("seq with more than one worker");
    const bool is_same_path = after.remote == before.remote && after.local == before.local;
    tunnels.push_back(make_tunnel(
        config, i, is_same_path ? tables_.current().tunnels()[i].path : std::make_shared<Path>()));
    if (!is_same_path && i < send_reasons_.size()) send_reasons_[i] = kNoNextHop;
  }
  config_ = config;
  tables_.publish(std::make_unique<Tables>(std::move(tunnels)), [this] {
    for (auto& worker : workers_) worker->wake();
  });
  return {};
}

void EngineImplementation::refresh() {
  const std::lock_guard lock(mutex_);
  if (!threads_.empty()) return workers_.front()->request_refresh();
  for (const Tunnel& tunnel : tables_.current().tunnels())
    refresh_path(tunnel, std::chrono::steady_clock::now());
}

void EngineImplementation::set_next_hop(std::size_t tunnel, io::NextHop next_hop,
                                        std::string reason) {
  const std::lock_guard lock(mutex_);
  const auto& tunnels = tables_.current().tunnels();
  if (tunnel >= tunnels.size() || !chosen_.send_reason.empty()) return;
  next_hop.cuts = next_hop && kernel_cuts_at(next_hop.interface_index);
  io::AtomicNextHop& current = tunnels[tunnel].path->next_hop;
  if (current.load() != next_hop) current.store(next_hop);
  send_reasons_.resize(tunnels.size());
  send_reasons_[tunnel] = std::move(reason);
}

void EngineImplementation::set_outer_interface(std::size_t tunnel, unsigned interface_index) {
  const std::lock_guard lock(mutex_);
  const auto& tunnels = tables_.current().tunnels();
  if (!opened_.take || tunnel >= tunnels.size() || interface_index == 0) return;
  std::vector<io::TakenEndpoints> endpoints;
  for (const Tunnel& each : tunnels) endpoints.push_back(endpoints_of(each));
  auto taken = opened_.take->take(endpoints);
  if (taken) taken = opened_.take->attach(interface_index);
  if (!taken) log(LogLevel::debug, "packets go up the stack as well: " + taken.error().message());
}

bool EngineImplementation::kernel_cuts_at(unsigned interface_index) {
  if (!opened_.encapsulator) return false;
  const auto say = [&](const Error& error) {
    log(LogLevel::debug, "super-packets are cut here: " + error.message());
    return false;
  };
  const auto leaves_undone = io::leaves_work_undone(interface_index);
  if (!leaves_undone) return say(leaves_undone.error());
  if (*leaves_undone) return false;
  const auto attached = opened_.encapsulator->attach(interface_index);
  return attached ? true : say(attached.error());
}

void EngineImplementation::stop() {
  const std::lock_guard lock(mutex_);
  stop_workers();
}

void EngineImplementation::stop_workers() {
  for (auto& worker : workers_) worker->request_stop();
  for (std::size_t i = 0; i < threads_.size(); ++i) {
    threads_[i].join();
    tables_.deactivate(i);
  }
  threads_.clear();
}

std::string EngineImplementation::send_reason_of(std::size_t tunnel) const {
  if (!chosen_.send_reason.empty()) return chosen_.send_reason;
  return tunnel < send_reasons_.size() ? send_reasons_[tunnel] : kNoNextHop;
}

Totals EngineImplementation::totals_of(std::size_t tunnel) const {
  Totals totals;
  for (const auto& worker : workers_) totals += worker->counters(tunnel);
  return totals;
}

EngineStatus EngineImplementation::status() const {
  const std::lock_guard lock(mutex_);
  EngineStatus status;
  status.device = opened_.device;
  status.device_index = opened_.device_index;
  status.io = chosen_.uring ? "uring" : "epoll";
  status.io_reason = chosen_.io_reason;
  status.receive = chosen_.receive == io::ReceiveKind::packet ? "packet" : "raw";
  status.receive_reason = chosen_.receive_reason;
  status.workers = static_cast<unsigned>(workers_.size());
  status.running = !threads_.empty();
  for (const auto& worker : workers_) {
    status.totals += worker->device_counters();
    status.receive_queue_full += worker->receive_queue_full();
  }
  for (const Tunnel& tunnel : tables_.current().tunnels()) {
    const io::NextHop hop = tunnel.path->next_hop.load();
    const bool is_cut_there = hop.cuts && tunnel.has_constant_header;
    status.mtu_bytes = tunnel.device_mtu;
    status.tunnels.push_back({.config = tunnel.config,
                              .local = tunnel.path->local.load(std::memory_order_relaxed),
                              .mtu_bytes = fit_ipv6(tunnel).mtu_bytes,
                              .send = hop ? "packet" : "raw",
                              .send_reason = send_reason_of(tunnel.index) +
                                             (is_cut_there ? ", super-packets cut there" : ""),
                              .totals = totals_of(tunnel.index)});
  }
  status.flows = flow_table_status(flow_table_.get(), flow_tick());
  return status;
}

std::vector<FlowStatus> EngineImplementation::flows(std::size_t limit) const {
  std::vector<FlowStatus> flows;
  if (!flow_table_) return flows;
  const std::lock_guard lock(mutex_);
  const auto& tunnels = tables_.current().tunnels();
  for (const FlowRecord& flow : latest_flows(*flow_table_, flow_tick(), limit)) {
    const bool is_there = flow.pin.slot < tunnels.size();
    flows.push_back({flow, is_there ? tunnels[flow.pin.slot].config.name : ""});
  }
  return flows;
}

}  // namespace

Result<std::unique_ptr<Engine>> Engine::open(Config config, InjectedDescriptors injected) {
  if (auto valid = validate(config); !valid) return Unexpected{valid.error()};
  Opened opened;
  Chosen chosen;
  if (auto done = open_all(config, std::move(injected), opened, chosen); !done)
    return Unexpected{done.error()};
  std::vector<Tunnel> tunnels;
  for (std::uint32_t i = 0; i < config.tunnels.size(); ++i) {
    tunnels.push_back(make_tunnel(config, i, std::make_shared<Path>()));
  }
  io::Fd failure_event{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  if (!failure_event)
    return Unexpected{
        Error{.code = errno, .operation = "open eventfd", .object = config.device, .advice = ""}};
  auto engine = std::make_unique<EngineImplementation>(
      std::move(config), std::move(opened), std::move(chosen),
      std::make_unique<Tables>(std::move(tunnels)), std::move(failure_event));
  if (auto table = engine->open_flow_table(); !table) return Unexpected{table.error()};
  if (auto workers = engine->open_workers(); !workers) return Unexpected{workers.error()};
  return std::unique_ptr<Engine>{std::move(engine)};
}

}  // namespace culvert
