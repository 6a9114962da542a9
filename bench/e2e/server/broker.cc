#include "bench/e2e/server/broker.h"

#include <array>
#include <cstdint>

#include "bench/e2e/culvert_program.h"
#include "bench/e2e/echo.h"
#include "bench/e2e/error.h"
#include "bench/e2e/load.h"
#include "bench/e2e/routes.h"
#include "bench/e2e/server/segment.h"
#include "bench/e2e/stop.h"
#include "proto/byte_order.h"
#include "tools/culvert/config/option_table.h"
#include "tools/culvert/daemon/control_socket.h"

namespace culvert::bench::server {
namespace {

using std::chrono::milliseconds;

constexpr std::chrono::seconds kReady{30};
constexpr char kFile[] = "bench.toml";

/// The values of a configuration file, per endpoint.
struct End {
  const char* address;      ///< address of the device
  const char* network;      ///< of the tunnels' prefixes; the tunnel's number is the fourth group
  const char* clients;      ///< the /32 of the other endpoint
  const char* next_router;  ///< any address, since a TUN device has no neighbors
};
constexpr std::array<End, kEnds> kOf{End{.address = "fd00:a::1/128",
                                         .network = "fd00:b::",
                                         .clients = "fd00:b::/32",
                                         .next_router = "fe80::b"},
                                     End{.address = "fd00:b::1/128",
                                         .network = "fd00:a::",
                                         .clients = "fd00:a::/32",
                                         .next_router = "fe80::a"}};

/// The fourth group of a prefix.
std::string numbered(const char* network, unsigned number) {
  auto prefix = *proto::Ipv6Prefix::from_text(std::string{network} + "/64");
  proto::store_be16(prefix.address.bytes, 6, static_cast<std::uint16_t>(number));
  return prefix.to_text();
}

std::string quoted(const std::string& text) { return "\"" + text + "\""; }

/// The clients accept every source from the server, which has one address for all of them. Their
/// route to it is by tunnel 1.
std::string tunnel_section(std::size_t end, unsigned number) {
  const std::string server = outer_address(0).address.to_text();
  const std::string client = tunnel_remote(number).to_text();
  std::string prefixes = quoted(numbered(kOf[end].network, number));
  if (end == 1 && number == 1) prefixes += ", " + quoted(kOf[0].address);
  std::string text =
      std::string{"[[device."} + kTunnelDevice + ".tunnel]]\nname = \"t" + std::to_string(number) +
      "\"\nmode = \"sit\"\nlocal = " + quoted(end == 0 ? server : client) +
      "\nremote = " + quoted(end == 0 ? client : server) + "\nprefix = [" + prefixes + "]\n";
  if (end == 1) text += "accept = [" + quoted(kOf[end].clients) + "]\n";
  return text;
}

/// Tunnel 1 is the last one in the file.
std::string file_of(const BrokerConfig& config, std::size_t end) {
  std::string text =
      std::string{"[device."} + kTunnelDevice + "]\naddress = [" + quoted(kOf[end].address) + "]\n";
  if (config.flows > 0) text += "flows = " + std::to_string(config.flows) + "\n";
  for (unsigned number = config.tunnels; number > 0; --number) text += tunnel_section(end, number);
  return end == 0 ? text + config.more : text;
}

Result<void> prepare_outer(const Rig& rig) {
  const auto clients = *proto::Ipv4Prefix::from_text("198.18.0.0/15");
  auto routed =
      rig.ends[0].inside([&] { return add_route(clients, kWire, outer_address(1).address); });
  if (!routed) return routed;
  return rig.ends[1].inside([&]() -> Result<void> {
    if (auto made = make_local(clients); !made) return made;
    // Allows sockets to bind to an address that only a route makes local.
    if (auto set = set_net_setting("ipv6/ip_nonlocal_bind", "1"); !set) return set;
    return make_local(*proto::Ipv6Prefix::from_text(kOf[0].clients));
  });
}

}  // namespace

proto::Ipv6Prefix tunnel_prefix(unsigned number) {
  return *proto::Ipv6Prefix::from_text(numbered(kOf[0].network, number));
}

proto::Ipv4Address tunnel_remote(unsigned number) {
  proto::Ipv4Address address = *proto::Ipv4Address::from_text("198.18.0.0");
  proto::store_be16(address.bytes, 2, static_cast<std::uint16_t>(number));
  return address;
}

InnerAddress Broker::address(std::size_t end) const {
  if (end == 0) return proto::Ipv6Prefix::from_text(kOf[0].address)->address;
  proto::Ipv6Address address = tunnel_prefix(1).address;
  address.bytes.back() = std::byte{1};
  return address;
}

Result<void> Broker::add_lan() {
  auto lan = Namespace::make();
  if (!lan) return Unexpected{lan.error()};
  lan_ = std::move(*lan);
  if (auto joined = join(kLan, *lan_, rig_.ends[0]); !joined) return joined;
  return join(kDeafLan, *lan_, rig_.ends[0]);
}

Result<void> Broker::start_end(std::size_t end) {
  Program program{.command = {culvert_program(), "run", "--config", std::string{"/run/"} + kFile},
                  .files = {{kFile, file_of(config_, end)}}};
  for (const auto& [name, value] : config_.options) {
    program.command.push_back(program::option_name(name));
    program.command.push_back(value);
  }
  const auto start = Clock::now();
  auto process = Process::start(
      rig_.ends[end], config_.name + (end == 0 ? ": the server" : ": the clients"), program);
  if (!process) return Unexpected{process.error()};
  processes_.push_back(std::move(*process));
  if (auto up = wait_until_up(); !up) return up;
  if (end == 0) load_time_ = Clock::now() - start;
  return rig_.ends[end].inside([&] {
    return add_route(*proto::Ipv6Prefix::from_text(kOf[end].clients), kTunnelDevice,
                     *proto::Ipv6Address::from_text(kOf[end].next_router));
  });
}

Result<void> Broker::wait_until_up() {
  Process& process = processes_.back();
  for (const auto deadline = Clock::now() + kReady;;) {
    if (process.output().find(" is up: ") != std::string::npos) return {};
    if (auto running = process.check_running(); !running) return running;
    if (Clock::now() > deadline) return fail(0, process.name(), {}, "does not say that it is up");
    if (auto paused = pause(milliseconds{2}); !paused) return paused;
  }
}

Result<void> Broker::wait_for_reply() {
  auto echo = Echo::open(rig_.ends[0], address(1));
  if (!echo) return Unexpected{echo.error()};
  for (const auto deadline = Clock::now() + kReady; Clock::now() < deadline;) {
    if (auto running = check_running(); !running) return running;
    const auto answer = echo->measure(milliseconds{100});
    if (!answer) return Unexpected{answer.error()};
    if (*answer) return {};
  }
  return fail(0, config_.name, {}, "no answer through its first tunnel");
}

Result<void> Broker::check_running() {
  for (Process& process : processes_) {
    if (auto running = process.check_running(); !running) return running;
  }
  return {};
}

Result<std::unique_ptr<Broker>> Broker::open(const BrokerConfig& config) {
  auto rig = Rig::build();
  if (!rig) return Unexpected{rig.error()};
  auto broker = std::unique_ptr<Broker>{new Broker{config, std::move(*rig)}};
  if (auto prepared = prepare_outer(broker->rig_); !prepared) return Unexpected{prepared.error()};
  if (config.has_lan) {
    if (auto added = broker->add_lan(); !added) return Unexpected{added.error()};
  }
  for (std::size_t end = 0; end < kEnds; ++end) {
    if (auto started = broker->start_end(end); !started) return Unexpected{started.error()};
  }
  if (auto answered = broker->wait_for_reply(); !answered) return Unexpected{answered.error()};
  return broker;
}

Result<std::chrono::duration<double>> Broker::run_tunnel_command(
    const std::vector<std::string>& words) {
  // The child has its own /run; /proc/PID/root leads to it.
  std::vector<std::string> command{culvert_program(), "tunnel"};
  command.insert(command.end(), words.begin(), words.end());
  command.insert(command.end(), {"--control", "/proc/" + std::to_string(server().pid()) + "/root" +
                                                  program::default_control_path(kTunnelDevice)});
  const auto start = Clock::now();
  auto process = Process::start(rig_.ends[0], "culvert tunnel " + words.front(), Program{command});
  if (!process) return Unexpected{process.error()};
  for (const auto deadline = start + kReady; !process->has_ended();) {
    if (Clock::now() > deadline) return fail(0, process->name(), {}, "does not end");
    if (auto paused = pause(std::chrono::microseconds{500}); !paused)
      return Unexpected{paused.error()};
  }
  const std::chrono::duration<double> took = Clock::now() - start;
  if (auto ended = process->stop(); !ended) return Unexpected{ended.error()};
  return took;
}

}  // namespace culvert::bench::server
