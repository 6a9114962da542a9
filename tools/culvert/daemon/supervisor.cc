#include "tools/culvert/daemon/supervisor.h"

#include <malloc.h>
#include <net/if.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "engine/host/bypass_check.h"
#include "engine/host/kernel_routes.h"
#include "engine/host/next_hop_finder.h"
#include "engine/host/removal_watch.h"
#include "io/fd.h"
#include "tools/culvert/daemon/control_socket.h"
#include "tools/culvert/daemon/delayed_call.h"
#include "tools/culvert/daemon/device_set.h"
#include "tools/culvert/daemon/ndp_set.h"
#include "tools/culvert/daemon/receiver_check.h"
#include "tools/culvert/daemon/requests.h"
#include "tools/culvert/show/report.h"

namespace culvert::program {
namespace {

namespace asio = boost::asio;
using ErrorCode = boost::system::error_code;
using asio::posix::stream_descriptor;

/// Changes of the network come in bursts, so one refresh follows each burst.
constexpr std::chrono::milliseconds kSettleTime{100};
constexpr std::chrono::seconds kIptablesPollPeriod{5};

/// The engine looks up 64 routes at a time.
constexpr std::chrono::milliseconds kPathPause{10};

/// The pause before removed addresses and routes are added again. Another program may remove them
/// as often, so the pause bounds the work.
constexpr std::chrono::milliseconds kRestorePause{500};

/// SIGHUP ends the process too if there is no file to read again.
constexpr std::array kSignals{SIGINT, SIGTERM, SIGHUP};

/// Returns freed memory to the kernel. Reading a file of many tunnels and each refresh need several
/// times the memory that the tunnels need afterwards, and glibc would keep it.
void trim_heap() {
#ifdef __GLIBC__
  ::malloc_trim(0);
#endif
}

/// Whether the process was started with the signal ignored: nohup does that with SIGHUP.
bool is_ignored(int signal) {
  struct sigaction action {};
  return ::sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

class Supervisor {
 public:
  explicit Supervisor(RunOptions options)
      : options_(std::move(options)),
        devices_(options_.open_engine, options_.waits,
                 {.added = [this](const ManagedDevice& device) { return watch_device(device); },
                  .removing = [this](const std::string& name) { device_events_.erase(name); }}),
        signals_(context_),
        ndp_(context_, options_.open_ndp, options_.print) {}

  Result<void> run();

 private:
  Result<void> start();
  Result<void> open_control_socket();
  Result<void> check_ndp_interfaces(const std::vector<NdpConfig>& sections) const;
  Result<void> watch_network();
  Result<void> watch_device(const ManagedDevice& device);
  struct DeviceEvents {
    stream_descriptor failure, path_change;
  };
  void await_failure(const std::string& device, const std::shared_ptr<DeviceEvents>& events);
  void await_path_change(const std::shared_ptr<DeviceEvents>& events);
  void await_signal();
  void handle_signal(int signal);
  Result<std::string> reload();
  Result<void> change_tunnel(const TunnelCommand& command);
  void update_ndp_tunnels();
  Result<void> watch(int fd, std::function<void()> on_change);
  void await(stream_descriptor& descriptor, std::function<void()> on_change);
  void poll_iptables();
  void check_ecn();
  void refresh();
  Result<void> watch_removals();
  void watch_endpoints();
  void watch_next_hops();

  // Handlers use the members above them, so the order matters: destruction is in reverse order.
  RunOptions options_;
  DeviceSet devices_;
  std::optional<Error> failure_;
  asio::io_context context_{1};
  asio::signal_set signals_;
  std::optional<netlink::NetlinkWatch> watch_;
  std::set<proto::Ipv4Address> endpoints_;  ///< of which watch_ reports routes
  std::optional<host::NeighborWatch> neighbor_watch_;
  std::set<unsigned> next_hop_interfaces_;  ///< of which neighbor_watch_ reports neighbors
  std::optional<host::BypassWatch> bypass_watch_;
  std::optional<host::RemovalWatch> removal_watch_;
  std::list<stream_descriptor> watched_;
  NdpSet ndp_;
  asio::steady_timer iptables_poll_{context_};
  asio::steady_timer ecn_check_{context_};
  std::string iptables_ = host::legacy_iptables();
  bool has_new_rules_ = true;  ///< the firewall is not checked yet
  DelayedCall refresh_{context_, kSettleTime, [this] { refresh(); }};
  DelayedCall restore_{context_, kRestorePause, [this] { devices_.restore(); }};
  ReceiverCheck receivers_{context_, devices_};
  DelayedCall follow_paths_{context_, kPathPause, [this] {
                              devices_.paths_changed();
                              watch_next_hops();
                            }};
  /// By device. Handlers do not own the events: a device may be removed before its handler runs.
  std::map<std::string, std::shared_ptr<DeviceEvents>> device_events_;
  std::unique_ptr<ControlServer> server_;
};

Result<void> Supervisor::run() {
  // Before the start: a signal during the start is kept until the loop runs, and then ends it.
  await_signal();
  if (auto started = start(); !started) return started;
  context_.run();
  server_.reset();
  ndp_.stop();
  devices_.stop();
  const std::string totals = report_json(devices_.reports(), ndp_.reports());
  devices_.clear();  // removes their addresses and routes too
  if (const auto table = report_table(totals)) options_.print(*table);
  if (failure_) return Unexpected{*failure_};
  return {};
}

Result<void> Supervisor::start() {
  // First, because it is cheap: a second process for the same device fails here.
  if (auto opened = open_control_socket(); !opened) return opened;
  const std::vector<NdpConfig> ndp = options_.settings.ndp;  // devices_ needs them too
  if (auto found = check_ndp_interfaces(ndp); !found) return found;
  if (auto started = devices_.start(std::move(options_.settings)); !started) return started;
  if (auto watched = watch_network(); !watched) return watched;
  for (const std::string& line : devices_.up_lines()) options_.print(line + "\n");
  if (!ndp.empty()) ndp_.tunnels_changed(devices_.statuses());
  return ndp_.start(ndp);
}

Result<void> Supervisor::open_control_socket() {
  if (options_.control_path.empty()) {
    const auto& [devices, ndp] = options_.settings;
    options_.control_path = default_control_path(
        devices.empty() ? "ndp-" + ndp.front().interface : devices.front().config.device);
  }
  RequestHandlers handlers{
      .devices = [this] { return devices_.reports(); },
      .claims = [this] { return devices_.claims(); },
      .check_receivers = [this] { receivers_.request(); },
      .reload = [this] { return reload(); },
      .change_tunnel = [this](const TunnelCommand& command) { return change_tunnel(command); },
      .ndp = [this] { return ndp_.reports(); },
      .flows = [this](std::string_view device,
                      std::size_t limit) { return devices_.flows(device, limit); }};
  auto server = ControlServer::open(context_, options_.control_path,
                                    [handlers = std::move(handlers)](std::string_view line) {
                                      return answer_request(line, handlers);
                                    });
  if (!server) return Unexpected{server.error()};
  server_ = std::move(*server);
  receivers_.start(options_.control_path);
  return {};
}

/// Only if nothing is waited for: otherwise an NDP proxy waits for its interface.
Result<void> Supervisor::check_ndp_interfaces(const std::vector<NdpConfig>& sections) const {
  const auto check = [&](const char* operation, const std::string& interface) -> Result<void> {
    if (options_.waits || ::if_nametoindex(interface.c_str()) != 0) return {};
    return Unexpected{Error{.code = ENODEV,
                            .operation = operation,
                            .object = interface,
                            .advice = "there is no such interface, and --no-wait is given"}};
  };
  for (const NdpConfig& section : sections) {
    if (auto found = check("answer on", section.interface); !found) return found;
    for (const NdpRule& rule : section.rules)
      for (const std::string& interface : rule.interfaces)
        if (auto found = check("probe on", interface); !found) return found;
  }
  return {};
}

void Supervisor::await_signal() {
  for (const int signal : kSignals) {
    if (signal != SIGHUP || options_.load || !is_ignored(signal)) signals_.add(signal);
  }
  handle_signal(0);
}

void Supervisor::handle_signal(int signal) {
  if (signal == SIGHUP && options_.load) {
    if (const auto changed = reload(); !changed) {
      options_.complain(changed.error().message() + "; the reload is refused");
    }
  } else if (signal != 0) {
    return context_.stop();
  }
  signals_.async_wait([this](ErrorCode error, int next) {
    if (!error) handle_signal(next);
  });
}

/// Reads the file again and applies it. If anything in it is wrong, nothing changes.
Result<std::string> Supervisor::reload() {
  if (!options_.load) {
    return Unexpected{Error{.code = 0,
                            .operation = "reload",
                            .object = "the settings",
                            .advice = "this culvert was started without --config, so there is no "
                                      "file to read"}};
  }
  auto settings = options_.load();
  if (!settings) return Unexpected{settings.error()};
  if (auto found = check_ndp_interfaces(settings->ndp); !found) return Unexpected{found.error()};
  const Settings before{.devices = {}, .ndp = ndp_.sections()};
  const Settings after{.devices = {}, .ndp = settings->ndp};
  if (auto applied = ndp_.apply(after.ndp); !applied) return Unexpected{applied.error()};
  auto changes = devices_.reload(std::move(*settings));
  removal_watch_->set_devices(devices_.indices());
  watch_endpoints();
  has_new_rules_ = true;  // for new devices and addresses; the next refresh checks it
  if (!changes) {
    Error error = changes.error();
    if (auto undone = ndp_.apply(before.ndp); !undone) error.advice += undone.error().message();
    return Unexpected{std::move(error)};
  }
  changes->ndp = find_changes(before, after).ndp;
  update_ndp_tunnels();
  receivers_.request();
  const std::string text = changes->to_text();
  options_.print("culvert: reloaded: " + text + "\n");
  trim_heap();
  return text;
}

Result<void> Supervisor::change_tunnel(const TunnelCommand& command) {
  auto changed = devices_.change(command);
  if (!changed) return changed;
  watch_endpoints();
  update_ndp_tunnels();
  receivers_.request();
  return {};
}

/// Passes the tunnels and their state to the NDP proxies: rules with `auto` depend on them.
void Supervisor::update_ndp_tunnels() {
  if (!ndp_.is_empty()) ndp_.tunnels_changed(devices_.statuses());
}

Result<void> Supervisor::watch_network() {
  auto watch_links = netlink::NetlinkWatch::open();
  if (!watch_links) return Unexpected{watch_links.error()};
  watch_.emplace(std::move(*watch_links));
  auto watched = watch(watch_->fd(), [this] {
    watch_->drain();
    refresh_.request();
  });
  if (!watched) return watched;
  auto neighbors = host::NeighborWatch::open();
  if (!neighbors) return Unexpected{neighbors.error()};
  neighbor_watch_.emplace(std::move(*neighbors));
  watched = watch(neighbor_watch_->fd(), [this] {  // at once: the old next hop may be gone
    devices_.neighbors_changed(neighbor_watch_->changed());
    watch_next_hops();
  });
  if (!watched) return watched;
  bypass_watch_.emplace(host::BypassWatch::open());
  for (const int fd : bypass_watch_->fds()) {
    watched = watch(fd, [this] {
      bypass_watch_->drain();
      has_new_rules_ = true;
      refresh_.request();
    });
    if (!watched) return watched;
  }
  if (watched = watch_removals(); !watched) return watched;
  poll_iptables();
  check_ecn();
  watch_endpoints();
  refresh_.request();  // for changes before the watch
  receivers_.request();
  return {};
}

Result<void> Supervisor::watch_removals() {
  auto removals = host::RemovalWatch::open();
  if (!removals) return Unexpected{removals.error()};
  removal_watch_.emplace(std::move(*removals));
  removal_watch_->set_devices(devices_.indices());
  restore_.request();  // for removals before the watch
  return watch(removal_watch_->fd(), [this] {
    removal_watch_->drain();
    restore_.request();
  });
}

/// Calls `on_change` each time `fd` is readable. Waits on a copy of the descriptor, because both
/// owners close theirs.
Result<void> Supervisor::watch(int fd, std::function<void()> on_change) {
  const int copy = ::dup(fd);
  if (copy < 0) {
    return Unexpected{
        Error{.code = errno, .operation = "watch", .object = "the network", .advice = {}}};
  }
  watched_.emplace_back(context_, copy);
  await(watched_.back(), std::move(on_change));
  return {};
}

void Supervisor::await(stream_descriptor& descriptor, std::function<void()> on_change) {
  descriptor.async_wait(stream_descriptor::wait_read,
                        [this, &descriptor, on_change = std::move(on_change)](ErrorCode error) {
                          if (error) return;
                          on_change();
                          await(descriptor, on_change);
                        });
}

/// Legacy iptables sends no events, so its tables are listed again every few seconds.
void Supervisor::poll_iptables() {
  iptables_poll_.expires_after(kIptablesPollPeriod);
  iptables_poll_.async_wait([this](ErrorCode error) {
    if (error) return;
    std::string tables = host::legacy_iptables();
    if (tables != std::exchange(iptables_, tables)) {
      has_new_rules_ = true;
      refresh_.request();
    }
    poll_iptables();
  });
}

/// The hot path counts and has no clock, so the counters are compared every few seconds.
void Supervisor::check_ecn() {
  ecn_check_.expires_after(options_.ecn_check_period);
  ecn_check_.async_wait([this](ErrorCode error) {
    if (error) return;
    devices_.check_ecn();
    check_ecn();
  });
}

/// Routes to other destinations may change thousands of times a second.
void Supervisor::watch_endpoints() {
  auto endpoints = devices_.endpoints();
  if (std::exchange(endpoints_, std::move(endpoints)) == endpoints_) return watch_next_hops();
  watch_->set_destinations(std::vector(endpoints_.begin(), endpoints_.end()));
  refresh_.request();  // for changes before
}

/// Neighbors on other interfaces may change as often.
void Supervisor::watch_next_hops() {
  auto interfaces = devices_.next_hop_interfaces();
  if (std::exchange(next_hop_interfaces_, std::move(interfaces)) == next_hop_interfaces_) return;
  neighbor_watch_->set_interfaces({next_hop_interfaces_.begin(), next_hop_interfaces_.end()});
  devices_.neighbors_changed(std::nullopt);  // for changes before
}

void Supervisor::refresh() {
  devices_.refresh();
  watch_next_hops();
  if (std::exchange(has_new_rules_, false)) devices_.check_firewall();
  trim_heap();
}

Result<void> Supervisor::watch_device(const ManagedDevice& device) {
  const std::string name = device.settings().config.device;
  io::Fd failure{::dup(device.failure_fd())}, path_change{::dup(device.path_change_fd())};
  if (!failure || !path_change)
    return Unexpected{Error{.code = errno, .operation = "watch", .object = name, .advice = {}}};
  const auto events = std::make_shared<DeviceEvents>(
      DeviceEvents{.failure = stream_descriptor{context_, failure.release()},
                   .path_change = stream_descriptor{context_, path_change.release()}});
  device_events_[name] = events;
  await_failure(name, events);
  await_path_change(events);
  return {};
}

void Supervisor::await_path_change(const std::shared_ptr<DeviceEvents>& events) {
  const auto on_change = [this, watched = std::weak_ptr{events}](ErrorCode error) {
    const auto current = watched.lock();
    if (error || !current) return;
    eventfd_t changes;
    ::eventfd_read(current->path_change.native_handle(), &changes);
    follow_paths_.request();
    await_path_change(current);
  };
  events->path_change.async_wait(stream_descriptor::wait_read, on_change);
}

void Supervisor::await_failure(const std::string& device,
                               const std::shared_ptr<DeviceEvents>& events) {
  const auto on_failure = [this, device, watched = std::weak_ptr{events}](ErrorCode error) {
    if (error || watched.expired()) return;
    failure_ = Error{.code = 0,
                     .operation = "forward packets of",
                     .object = device,
                     .advice = "the device or its sockets have failed: see the log line above"};
    context_.stop();
  };
  events->failure.async_wait(stream_descriptor::wait_read, on_failure);
}

}  // namespace

namespace {

Result<std::unique_ptr<NdpProxy>> open_ndp(NdpConfig config,
                                           const std::shared_ptr<host::HostRouteClaim>& claim) {
  auto routes = host::KernelRoutes::open(claim);
  if (!routes) return Unexpected{routes.error()};
  const std::size_t removed = has_wire(config) ? (*routes)->claim_host_routes() : 0;
  if (removed != 0 && config.log)
    config.log(LogLevel::info, "ndp " + config.interface + ": removed " + std::to_string(removed) +
                                   " host routes that an earlier culvert has left (wire)");
  return NdpProxy::open(std::move(config), std::move(*routes));
}

}  // namespace

Result<void> run_devices(RunOptions options) {
  if (!options.open_engine) {
    options.open_engine = [](const Config& config) { return Engine::open(config); };
  }
  if (!options.open_ndp) {
    options.open_ndp = [claim = std::make_shared<host::HostRouteClaim>()](NdpConfig config) {
      return open_ndp(std::move(config), claim);
    };
  }
  try {
    Supervisor supervisor{std::move(options)};
    return supervisor.run();
  } catch (const boost::system::system_error& error) {
    return Unexpected{Error{.code = error.code().value(),
                            .operation = "run",
                            .object = "the control side",
                            .advice = error.what()}};
  }
}

}  // namespace culvert::program
