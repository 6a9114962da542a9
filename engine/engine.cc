#include "engine/engine.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#include "engine/forward/engine_io.h"
#include "engine/forward/route_refresher.h"
#include "engine/forward/worker.h"
#include "engine/offload/ipv4_fragment.h"
#include "engine/tables/snapshot.h"
#include "engine/tables/tunnel_plan.h"
#include "io/bpf/bypass_program.h"
#include "io/event_fd.h"
#include "io/interface_features.h"
#include "io/poller.h"
#include "io/ring.h"
#include "io/sort_unique.h"
#include "io/thread.h"
#include "io/vrf.h"

namespace culvert {
namespace {

constexpr const char* kNoNextHop = "no next hop is known yet";

/// Calls `function` with the endpoints for each IP protocol of a tunnel.
template <class Function>
void for_each_endpoints(const Tunnel& tunnel, Function function) {
  const auto key = dispatch(tunnel.config.mode, [](auto encapsulation, const auto& parameters) {
    return encapsulation.key_in(parameters);
  });
  for_each_demux_rule(tunnel.config.mode, [&](const proto::DemuxRule& rule) {
    function(io::BypassEndpoints{.remote = tunnel.config.remote.address(),
                                 .local = tunnel.path->local.load(std::memory_order_relaxed),
                                 .protocol = rule.ip_protocol,
                                 .key = key.value_or(0),
                                 .has_key = key ? 1u : 0u});
  });
}

bool covers(const io::BypassProgram& bypass, const Tunnel& tunnel) {
  bool covers_all = true;
  for_each_endpoints(tunnel, [&](const auto& each) { covers_all &= bypass.covers(each); });
  return covers_all;
}

/// The size limits of IPv6 packets, or of IPv4 packets if the tunnel carries no others.
Fit tunnel_fit(const Tunnel& tunnel) {
  const bool has_ipv6 = tunnel.ipv6_protocol != 0;
  return has_ipv6 ? fit_ipv6(tunnel) : fit_ipv4(tunnel, tunnel.path->mtu(), true);
}

/// The number of outer packets that carry an inner packet of fit.mtu_bytes.
std::size_t fragments_of(const Tunnel& tunnel, const Fit& fit) {
  const std::size_t outer_bytes =
      std::size_t{fit.mtu_bytes} + tunnel.overhead_bytes() + tunnel.link_header_bytes;
  if (fit.dont_fragment) return 1;
  return count_fragments(outer_bytes, fit.outer_mtu_bytes);
}

/// The sender to a tunnel with `remote any` is not known in advance.
bool is_bypassed(const Tunnel& tunnel) { return tunnel.config.remote.is_fixed(); }

/// Without addresses if they cannot be read: then only the address that a tunnel sends from counts as
/// its own.
HostFacts host_facts(const TunnelSlots& slots) {
  HostFacts facts;
  if (auto own = io::own_ipv4_addresses()) facts.addresses = std::move(*own);
  std::vector<std::string> devs;
  for (const auto& tunnel : slots)
    if (tunnel && !tunnel->config.dev.empty()) devs.push_back(tunnel->config.dev);
  io::sort_unique(devs);
  facts.vrf_members = io::vrf_members(devs);
  return facts;
}

IcmpRules icmp_rules(const Config& config) {
  return {.source = config.icmp_source,
          .min_pmtu = config.min_pmtu.value_or(io::min_path_mtu_bytes())};
}

std::unique_ptr<const Tables> make_tables(TunnelSlots slots, const Config& config) {
  HostFacts host = host_facts(slots);
  return std::make_unique<const Tables>(std::move(slots), std::move(host), icmp_rules(config));
}

class EngineImplementation final : public Engine {
 public:
  /// `config`: without its tunnels, which are in `plan`.
  EngineImplementation(Config config, OpenedIo opened, IoSelection selection, TunnelPlan plan,
                       io::EventFd failure_event, io::EventFd path_event)
      : log_(config.log),
        pins_workers_(config.pin_workers && opened.workers.size() > 1),
        config_(std::move(config)),
        opened_(std::move(opened)),
        selection_(std::move(selection)),
        by_position_(std::move(plan.by_position)),
        device_mtu_(plan.device_mtu),
        tables_(make_tables(std::move(plan.slots), config_), opened_.workers.size() + 1),
        refresher_(tables_, opened_.workers.size(), std::move(path_event)),
        failure_event_(std::move(failure_event)) {}
  ~EngineImplementation() override { stop(); }

  /// Opens the flow table, unless pinning is off.
  Result<void> open_flow_table();
  /// Creates the workers with their queues, and prepares their TunnelStats.
  Result<void> open_workers();

  Result<void> start() override;
  Result<void> apply(const Config& config) override;
  void refresh() override;
  void set_next_hop(std::size_t tunnel, io::NextHop next_hop, std::string reason) override;
  void set_outer_interface(std::size_t tunnel, unsigned interface_index) override;
  void stop() override;
  [[nodiscard]] EngineStatus status() const override;
  [[nodiscard]] FlowTableStatus flow_table() const override;
  [[nodiscard]] std::vector<FlowStatus> flows(std::size_t limit) const override;
  [[nodiscard]] int failure_fd() const noexcept override { return failure_event_.fd(); }
  [[nodiscard]] int path_change_fd() const noexcept override { return refresher_.changed_fd(); }

 private:
  void log(LogLevel level, std::string_view line) const {
    if (log_) log_(level, line);
  }
  void report_refused_offloads();
  void report_refused_sends();
  void run_worker(std::size_t index);
  void stop_workers();
  void publish(std::unique_ptr<const Tables> tables);
  [[nodiscard]] Result<void> check_change(const Config& config) const;
  [[nodiscard]] std::string_view mtu_refusal(const Config& config) const;
  [[nodiscard]] Result<void> prepare(std::uint32_t slot);
  void update_bypass();
  [[nodiscard]] bool kernel_cuts_at(unsigned interface_index);
  [[nodiscard]] std::string send_reason_of(const Tunnel& tunnel) const;
  [[nodiscard]] TunnelStatus status_of(const Tunnel& tunnel) const;
  [[nodiscard]] Totals totals_of(std::uint32_t slot) const;
  [[nodiscard]] FlowTick flow_tick() const {
    return flow_table_ ? flow_table_->tick(std::chrono::steady_clock::now()) : FlowTick{};
  }

  const Log log_;            ///< read by the workers' threads, unlike config_, which changes
  const bool pins_workers_;  ///< the same
  Config config_;            ///< as requested; without tunnels: those are in tables_
  OpenedIo opened_;
  IoSelection selection_;
  mutable std::mutex mutex_;  ///< status() may be called at any time; no worker locks it
  std::unique_ptr<FlowTable> flow_table_;   ///< shared by all workers
  std::vector<std::uint32_t> by_position_;  ///< slots, in the order of Config::tunnels
  std::uint16_t device_mtu_;
  /// Written by workers; relaxed, since it orders no other access.
  std::atomic<bool> has_refused_offloads_{false};
  std::atomic<bool> has_refused_sends_{false};  ///< the same
  Totals removed_;                              ///< counters of removed tunnels
  Snapshot<Tables> tables_;  ///< its readers: the workers, and the refresher behind them
  RouteRefresher refresher_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<std::thread> threads_;
  /// By slot. Tunnels with the same reason share one string. Null: no reason was set.
  std::vector<std::shared_ptr<const std::string>> send_reasons_;
  std::shared_ptr<const std::string> last_send_reason_;
  io::EventFd failure_event_;
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
    const bool has_offloads = config_.offload && opened_.workers[i].tun_has_virtio_header;
    auto queues = selection_.uring ? io::open_ring(std::move(opened_.workers[i]), config_.sizes,
                                                   config_.busy_poll, opened_.device)
                                   : io::open_poller(std::move(opened_.workers[i]), config_.sizes,
                                                     config_.busy_poll, opened_.device);
    if (!queues) return Unexpected{queues.error()};
    WorkerOptions options{.index = i,
                          .sizes = config_.sizes,
                          .receive = selection_.receive,
                          .tun_offloads = has_offloads,
                          .tun_has_uso = opened_.tun_has_uso,
                          .flows = flow_table_.get(),
                          .refresher = &refresher_};
    options.on_failure = [this](const Error& error) {
      log(LogLevel::error, error.message());
      failure_event_.signal();
    };
    options.on_refused_offloads = [this] { report_refused_offloads(); };
    options.on_refused_sends = [this] { report_refused_sends(); };
    workers_.push_back(std::make_unique<Worker>(std::move(*queues), tables_, std::move(options)));
  }
  for (const std::uint32_t slot : by_position_)
    if (auto prepared = prepare(slot); !prepared) return prepared;
  update_bypass();
  return {};
}

Result<void> EngineImplementation::prepare(std::uint32_t slot) {
  for (auto& worker : workers_)
    if (auto prepared = worker->prepare(slot); !prepared) return prepared;
  if (slot < send_reasons_.size()) send_reasons_[slot].reset();
  return {};
}

/// Workers find it out one by one; the log has one line.
void EngineImplementation::report_refused_offloads() {
  if (has_refused_offloads_.exchange(true, std::memory_order_relaxed)) return;
  log(LogLevel::warning,
      opened_.device +
          ": the kernel refuses super-packets on the TUN device (EINVAL), so single packets are "
          "written from now on, which costs CPU time; nothing was lost. --offload off avoids the "
          "attempts");
}

void EngineImplementation::report_refused_sends() {
  if (has_refused_sends_.exchange(true, std::memory_order_relaxed)) return;
  log(LogLevel::warning, opened_.device +
                             ": the kernel refuses super-packets on the packet socket (EINVAL), so "
                             "each segment is sent "
                             "by itself from now on, which costs CPU time; nothing was lost");
}

void EngineImplementation::run_worker(std::size_t index) {
  io::set_thread_name(opened_.device + "/" + std::to_string(index));
  if (pins_workers_) {
    if (auto pinned = io::pin_to_cpu(index); !pinned)
      log(LogLevel::warning, pinned.error().message());
  }
  workers_[index]->run();
  tables_.deactivate(index);  // publish() does not wait for a worker that has failed
}

Result<void> EngineImplementation::start() {
  const std::lock_guard lock(mutex_);
  if (auto started = refresher_.start(opened_.device); !started) return started;
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

/// Why apply() cannot use the MTU; empty: it can. Below 1,280 bytes the kernel removes IPv6 from the
/// device, and returns it with other settings than the owner's.
std::string_view EngineImplementation::mtu_refusal(const Config& config) const {
  const auto can_carry_ipv6 = [](const TunnelConfig& tunnel) {
    return carries(tunnel.mode, proto::kProtocolTypeIpv6);
  };
  const bool is_ipv4_only = device_mtu_ < proto::kIpv6MinimumMtu;
  const bool stays_small = config.mtu.value_or(device_mtu_) < proto::kIpv6MinimumMtu;
  if (is_ipv4_only != stays_small &&
      std::any_of(config.tunnels.begin(), config.tunnels.end(), can_carry_ipv6))
    return "lies on the other side of 1280, which switches IPv6 on the device: restart the device";
  if (stays_small && must_carry_ipv6(config))
    return "is the device's, and IPv6 needs 1280 (RFC 8200 5): restart the device";
  return {};
}

/// Refuses changes that apply() cannot make.
Result<void> EngineImplementation::check_change(const Config& config) const {
  const auto refuse = [](std::string word, std::string_view advice) {
    return Unexpected{Error{
        .code = 0, .operation = "apply", .object = std::move(word), .advice = std::string{advice}}};
  };
  if (const auto advice = mtu_refusal(config); !advice.empty())
    return refuse("mtu " + std::to_string(config.mtu.value_or(device_mtu_)), advice);
  const auto workers = static_cast<unsigned>(workers_.size());
  if (const auto word = find_fixed_change(config_, workers, config))
    return refuse(std::string{*word}, "cannot change while the device is open");
  for (const TunnelConfig& tunnel : config.tunnels) {
    const std::string name = tunnel.name + ", ";
    if (const auto refusal = mode_refusal(opened_, tunnel.mode); !refusal.empty())
      return refuse(name + "mode " + std::string{encapsulation_name(tunnel.mode)}, refusal);
    if (workers_.size() > 1 && wants_order_across_workers(tunnel))
      return refuse(name + "seq", "with more than one worker: restart the device");
  }
  return {};
}

Result<void> EngineImplementation::apply(const Config& config) {
  if (auto valid = validate(config); !valid) return valid;
  const std::lock_guard lock(mutex_);
  if (auto possible = check_change(config); !possible) return possible;
  auto plan = plan_tunnels(tables_.current().slots(), config.tunnels,
                           config.mtu.value_or(device_mtu_), must_carry_ipv6(config));
  for (const std::uint32_t slot : plan.added)
    if (auto prepared = prepare(slot); !prepared) return prepared;
  for (const std::uint32_t slot : plan.with_new_path)
    if (slot < send_reasons_.size()) send_reasons_[slot].reset();
  publish(make_tables(std::move(plan.slots), config));
  // All workers have switched to the new tables and no longer count in removed slots.
  for (const std::uint32_t slot : plan.removed) {
    removed_ += totals_of(slot);
    if (flow_table_) flow_table_->forget(static_cast<std::uint16_t>(slot));
  }
  by_position_ = std::move(plan.by_position);
  device_mtu_ = plan.device_mtu;
  config_.mtu = config.mtu;
  config_.icmp_source = config.icmp_source;
  config_.min_pmtu = config.min_pmtu;
  update_bypass();
  return {};
}

void EngineImplementation::publish(std::unique_ptr<const Tables> tables) {
  tables_.publish(std::move(tables), [this] {
    for (auto& worker : workers_) worker->wake();
    refresher_.wake();
  });
}

void EngineImplementation::refresh() {
  const std::lock_guard lock(mutex_);
  auto host = host_facts(tables_.current().slots());
  if (host != tables_.current().host())
    publish(std::make_unique<Tables>(tables_.current(), std::move(host)));
  refresher_.refresh();
}

void EngineImplementation::set_next_hop(std::size_t tunnel, io::NextHop next_hop,
                                        std::string reason) {
  const std::lock_guard lock(mutex_);
  if (tunnel >= by_position_.size() || !selection_.send_reason.empty()) return;
  const std::uint32_t slot = by_position_[tunnel];
  next_hop.kernel_gso = next_hop && kernel_cuts_at(next_hop.interface_index);
  io::AtomicNextHop& current = tables_.current().tunnel(slot).path->next_hop;
  if (current.load() != next_hop) current.store(next_hop);
  if (slot < send_reasons_.size() && send_reasons_[slot] && *send_reasons_[slot] == reason) return;
  if (!last_send_reason_ || *last_send_reason_ != reason)
    last_send_reason_ = std::make_shared<const std::string>(std::move(reason));
  if (slot >= send_reasons_.size()) send_reasons_.resize(tables_.current().slots().size());
  send_reasons_[slot] = last_send_reason_;
}

void EngineImplementation::set_outer_interface(std::size_t tunnel, unsigned interface_index) {
  const std::lock_guard lock(mutex_);
  if (!opened_.bypass || tunnel >= by_position_.size() || interface_index == 0) return;
  const Tunnel& target = tables_.current().tunnel(by_position_[tunnel]);
  // Its local address may have changed with the route.
  if (is_bypassed(target) && !covers(*opened_.bypass, target)) update_bypass();
  const auto attached = opened_.bypass->attach(interface_index);
  if (!attached)
    log(LogLevel::debug, "no bypass, the kernel's IP stack also processes received packets: " +
                             attached.error().message());
}

void EngineImplementation::update_bypass() {
  if (!opened_.bypass) return;
  std::vector<io::BypassEndpoints> endpoints;
  for (const auto& tunnel : tables_.current().slots())
    if (tunnel && is_bypassed(*tunnel))
      for_each_endpoints(*tunnel, [&](const auto& each) { endpoints.push_back(each); });
  const auto updated = opened_.bypass->set_endpoints(std::move(endpoints));
  if (!updated)
    log(LogLevel::debug, "no bypass, the kernel's IP stack also processes received packets: " +
                             updated.error().message());
}

bool EngineImplementation::kernel_cuts_at(unsigned interface_index) {
  if (!opened_.encapsulator) return false;
  const auto log_reason = [&](const Error& error) {
    log(LogLevel::debug, "the kernel does not segment super-packets: " + error.message());
    return false;
  };
  const auto leaves_undone = io::may_leave_unsegmented(interface_index);
  if (!leaves_undone) return log_reason(leaves_undone.error());
  if (*leaves_undone) return false;
  const auto attached = opened_.encapsulator->attach(interface_index);
  return attached ? true : log_reason(attached.error());
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
  refresher_.stop();
}

std::string EngineImplementation::send_reason_of(const Tunnel& tunnel) const {
  if (!selection_.send_reason.empty()) return selection_.send_reason;
  const bool has_reason = tunnel.index < send_reasons_.size() && send_reasons_[tunnel.index];
  const bool is_cut_there =
      tunnel.path->next_hop.load().kernel_gso && tunnel.gso != proto::KernelGso::none;
  std::string reason = has_reason ? *send_reasons_[tunnel.index] : kNoNextHop;
  if (!is_cut_there) return reason;
  const bool is_refused = has_refused_sends_.load(std::memory_order_relaxed);
  reason += is_refused ? ", the kernel refuses super-packets" : ", super-packets cut there";
  return reason;
}

Totals EngineImplementation::totals_of(std::uint32_t slot) const {
  Totals totals;
  for (const auto& worker : workers_) totals += worker->totals(slot);
  return totals;
}

TunnelStatus EngineImplementation::status_of(const Tunnel& tunnel) const {
  const Fit fit = tunnel_fit(tunnel);
  return {.config = tunnel.config,
          .local = tunnel.path->local.load(std::memory_order_relaxed),
          .mtu_bytes = fit.mtu_bytes,
          .fragments = fragments_of(tunnel, fit),
          .send = tunnel.path->next_hop.load() ? "packet" : "raw",
          .send_reason = send_reason_of(tunnel),
          .totals = totals_of(tunnel.index)};
}

EngineStatus EngineImplementation::status() const {
  const std::lock_guard lock(mutex_);
  EngineStatus status;
  status.device = opened_.device;
  status.device_index = opened_.device_index;
  status.io = selection_.uring ? "uring" : "epoll";
  status.io_reason = selection_.io_reason;
  status.receive = selection_.receive == io::ReceiveKind::packet ? "packet" : "raw";
  status.receive_reason = selection_.receive_reason;
  const bool is_refused = has_refused_offloads_.load(std::memory_order_relaxed);
  status.offload = config_.offload && !is_refused ? "on" : "off";
  status.offload_reason = !config_.offload ? "asked for"
                          : is_refused     ? "the kernel refuses super-packets on the TUN device"
                                           : "available";
  status.workers = static_cast<unsigned>(workers_.size());
  status.running = !threads_.empty();
  status.mtu_bytes = device_mtu_;
  status.totals = removed_;
  for (const auto& worker : workers_) {
    status.totals += worker->device_totals();
    status.receive_queue_full += worker->receive_queue_full();
  }
  status.tunnels.reserve(by_position_.size());
  for (const std::uint32_t slot : by_position_)
    status.tunnels.push_back(status_of(tables_.current().tunnel(slot)));
  status.flows = flow_table();
  return status;
}

FlowTableStatus EngineImplementation::flow_table() const {
  return flow_table_status(flow_table_.get(), flow_tick());
}

std::vector<FlowStatus> EngineImplementation::flows(std::size_t limit) const {
  std::vector<FlowStatus> flows;
  if (!flow_table_) return flows;
  const std::lock_guard lock(mutex_);
  for (const FlowRecord& flow : latest_flows(*flow_table_, flow_tick(), limit)) {
    const Tunnel* tunnel = tables_.current().find(flow.pin.slot);
    flows.push_back({flow, tunnel != nullptr ? tunnel->config.name : ""});
  }
  return flows;
}

}  // namespace

Result<std::unique_ptr<Engine>> Engine::open(Config config, InjectedDescriptors injected) {
  if (auto valid = validate(config); !valid) return Unexpected{valid.error()};
  const unsigned requested_workers = config.workers;
  OpenedIo opened;
  IoSelection selection;
  if (auto done = open_io(config, std::move(injected), opened, selection); !done)
    return Unexpected{done.error()};
  config.workers = requested_workers;
  const bool has_ipv6 = must_carry_ipv6(config);
  auto plan = plan_tunnels({}, std::exchange(config.tunnels, {}), config.mtu, has_ipv6);
  auto failure_event = io::EventFd::open(config.device);
  if (!failure_event) return Unexpected{failure_event.error()};
  auto path_event = io::EventFd::open(config.device);
  if (!path_event) return Unexpected{path_event.error()};
  auto engine = std::make_unique<EngineImplementation>(
      std::move(config), std::move(opened), std::move(selection), std::move(plan),
      std::move(*failure_event), std::move(*path_event));
  if (auto table = engine->open_flow_table(); !table) return Unexpected{table.error()};
  if (auto workers = engine->open_workers(); !workers) return Unexpected{workers.error()};
  return std::unique_ptr<Engine>{std::move(engine)};
}

}  // namespace culvert
