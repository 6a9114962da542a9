#include "engine/control/supervisor.h"

#include <pthread.h>
#include <unistd.h>

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
#include <memory>
#include <optional>
#include <utility>

#include "engine/control/control_socket.h"
#include "engine/control/next_hop.h"
#include "engine/control/output_path.h"
#include "engine/control/report.h"

namespace culvert::control {
namespace {

namespace asio = boost::asio;
using ErrorCode = boost::system::error_code;
using asio::posix::stream_descriptor;

/// Changes of the network come in bursts: one look after the burst is enough.
constexpr std::chrono::milliseconds kSettleTime{100};
constexpr std::chrono::seconds kSilentChangePeriod{5};

constexpr std::array kEndingSignals{SIGINT, SIGTERM, SIGHUP};

/// While it lives, threads that are started do not take these signals: the main thread does.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t ending;
    sigemptyset(&ending);
    for (const int signal : kEndingSignals) sigaddset(&ending, signal);
    pthread_sigmask(SIG_BLOCK, &ending, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_{};
};

/// Started by nohup, SIGHUP is ignored, and stays so.
bool is_ignored(int signal) {
  struct sigaction action {};
  return ::sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

class Supervisor {
 public:
  explicit Supervisor(RunOptions options) : options_(std::move(options)), signals_(context_) {}

  Result<void> run();

 private:
  Result<void> start();
  Result<void> start_device(DeviceSettings settings);
  Result<void> open_control_socket();
  Result<void> watch_network();
  Result<void> watch_for_failure(const ManagedDevice& device);
  void await_signal();
  Result<void> watch(int fd, std::function<void()> on_change);
  void await(stream_descriptor& descriptor, std::function<void()> on_change);
  void await_silent_change();
  void refresh_soon();
  [[nodiscard]] std::vector<EngineStatus> statuses() const;

  // The handlers refer to what stands above them: the order of destruction is the reverse.
  RunOptions options_;
  std::optional<Netlink> netlink_;
  std::vector<std::unique_ptr<ManagedDevice>> devices_;
  std::optional<Error> failure_;
  asio::io_context context_{1};
  asio::signal_set signals_;
  std::optional<NetlinkWatch> watch_;
  std::optional<NeighborWatch> neighbor_watch_;
  std::optional<OutputPathWatch> output_path_watch_;
  std::list<stream_descriptor> watched_;
  asio::steady_timer settle_{context_};
  asio::steady_timer silent_{context_};
  bool is_settling_ = false;
  std::vector<stream_descriptor> failure_descriptors_;
  std::unique_ptr<ControlServer> server_;
};

Result<void> Supervisor::run() {
  // Before anything is made: a signal during start is kept until the loop runs, and ends it.
  await_signal();
  if (auto started = start(); !started) return started;
  context_.run();
  server_.reset();
  for (const auto& device : devices_) device->stop();
  const std::string totals = report_json(statuses());
  devices_.clear();  // and with them all that was made for them
  if (const auto table = report_table(totals)) options_.print(*table);
  if (failure_) return Unexpected{*failure_};
  return {};
}

Result<void> Supervisor::start() {
  auto netlink = Netlink::open();
  if (!netlink) return Unexpected{netlink.error()};
  netlink_.emplace(std::move(*netlink));
  // First what costs nothing: a second process for the same device stops here.
  if (auto opened = open_control_socket(); !opened) return opened;
  for (DeviceSettings& settings : options_.settings.devices) {
    if (auto started = start_device(std::move(settings)); !started) return started;
  }
  if (auto watched = watch_network(); !watched) return watched;
  for (const auto& device : devices_) {
    options_.print(up_line(device->settings().config, device->status()) + "\n");
  }
  return {};
}

Result<void> Supervisor::start_device(DeviceSettings settings) {
  const SignalsBlocked blocked;
  auto device = ManagedDevice::bring_up(std::move(settings), *netlink_, options_.open_engine);
  if (!device) return Unexpected{device.error()};
  devices_.push_back(std::move(*device));
  return watch_for_failure(*devices_.back());
}

Result<void> Supervisor::open_control_socket() {
  if (options_.control_path.empty()) {
    const auto& [devices, ndp] = options_.settings;
    options_.control_path = default_control_path(
        devices.empty() ? "ndp-" + ndp.front().interface : devices.front().config.device);
  }
  auto server = ControlServer::open(context_, options_.control_path, [this](std::string_view line) {
    return answer_request(line, statuses());
  });
  if (!server) return Unexpected{server.error()};
  server_ = std::move(*server);
  return {};
}

void Supervisor::await_signal() {
  for (const int signal : kEndingSignals) {
    if (signal != SIGHUP || !is_ignored(signal)) signals_.add(signal);
  }
  signals_.async_wait([this](ErrorCode error, int) {
    if (!error) context_.stop();
  });
}

Result<void> Supervisor::watch_network() {
  auto watch_links = NetlinkWatch::open();
  if (!watch_links) return Unexpected{watch_links.error()};
  watch_.emplace(std::move(*watch_links));
  auto watched = watch(watch_->fd(), [this] {
    watch_->drain();
    refresh_soon();
  });
  if (!watched) return watched;
  auto neighbors = NeighborWatch::open();
  if (!neighbors) return Unexpected{neighbors.error()};
  neighbor_watch_.emplace(std::move(*neighbors));
  watched = watch(neighbor_watch_->fd(), [this] {  // at once: frames may go to a host that left
    const auto changed = neighbor_watch_->changed();
    for (const auto& device : devices_) device->neighbors_changed(changed);
  });
  if (!watched) return watched;
  output_path_watch_.emplace(OutputPathWatch::open());
  for (const int fd : output_path_watch_->fds()) {
    watched = watch(fd, [this] {
      output_path_watch_->drain();
      refresh_soon();
    });
    if (!watched) return watched;
  }
  await_silent_change();
  refresh_soon();  // what has changed while nobody watched
  return {};
}

/// Calls `on_change` whenever `fd` is readable. It waits on a copy, because both owners close
/// theirs.
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

/// Rules of iptables' older kind come without a message, so they are looked for now and then.
void Supervisor::await_silent_change() {
  silent_.expires_after(kSilentChangePeriod);
  silent_.async_wait([this](ErrorCode error) {
    if (error) return;
    if (has_silent_tables()) refresh_soon();
    await_silent_change();
  });
}

void Supervisor::refresh_soon() {
  if (std::exchange(is_settling_, true)) return;
  settle_.expires_after(kSettleTime);
  settle_.async_wait([this](ErrorCode error) {
    is_settling_ = false;
    if (error) return;
    for (const auto& device : devices_) device->refresh();
  });
}

Result<void> Supervisor::watch_for_failure(const ManagedDevice& device) {
  const int fd = ::dup(device.failure_fd());
  const std::string name = device.settings().config.device;
  if (fd < 0)
    return Unexpected{Error{.code = errno, .operation = "watch", .object = name, .advice = {}}};
  failure_descriptors_.emplace_back(context_, fd);
  failure_descriptors_.back().async_wait(stream_descriptor::wait_read, [this,
                                                                        name](ErrorCode error) {
    if (error) return;
    failure_ = Error{.code = 0,
                     .operation = "forward packets of",
                     .object = name,
                     .advice = "the device is gone, or its sockets are; see the log line above"};
    context_.stop();
  });
  return {};
}

std::vector<EngineStatus> Supervisor::statuses() const {
  std::vector<EngineStatus> all;
  all.reserve(devices_.size());
  for (const auto& device : devices_) all.push_back(device->status());
  return all;
}

}  // namespace

Result<void> run_devices(RunOptions options) {
  if (!options.open_engine) {
    options.open_engine = [](const Config& config) { return Engine::open(config); };
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

}  // namespace culvert::control
