#include "bench/e2e/tunnel.h"

#include <net/if.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>

#include "bench/e2e/bare.h"
#include "bench/e2e/culvert_program.h"
#include "bench/e2e/error.h"
#include "bench/e2e/links.h"
#include "bench/e2e/load.h"
#include "bench/e2e/single.h"
#include "bench/e2e/stop.h"
#include "tools/culvert/config/option_table.h"

namespace culvert::bench {
namespace {

using Kind = TunnelPlan::Kind;
using std::chrono::milliseconds;

constexpr std::chrono::seconds kReady{15};
constexpr std::uint16_t kIpInIpMtuBytes = 1480, kGreMtuBytes = 1476, kVxlanMtuBytes = 1450;

TunnelEndpoints ends_seen_from(std::size_t end) {
  return {.local = outer_address(end).address, .remote = outer_address(1 - end).address};
}

/// The next hop is the other endpoint, since the wire has no router.
Result<io::NextHop> find_next_hop(const Rig& rig, std::size_t end) {
  const auto address = [] { return link_address(kWire); };
  const auto own = rig.ends[end].inside(address);
  if (!own) return Unexpected{own.error()};
  const auto others = rig.ends[1 - end].inside(address);
  if (!others) return Unexpected{others.error()};
  const auto index =
      rig.ends[end].inside([]() -> Result<unsigned> { return ::if_nametoindex(kWire); });
  if (!index) return Unexpected{index.error()};
  return io::NextHop{
      .interface_index = *index, .kernel_gso = true, .source = *own, .destination = *others};
}

/// Configures the device. culvert does this itself.
Result<void> configure(const Namespace& where, const InnerPrefix& address,
                       std::uint16_t mtu_bytes) {
  const auto with_address = [&](const auto& prefix) {
    return bring_up(kTunnelDevice, mtu_bytes, prefix);
  };
  return where.inside([&] { return std::visit(with_address, address); });
}

struct KernelKind {
  KernelTunnel tunnel;
  std::uint16_t mtu_bytes;
};

/// Empty for a tunnel in user space.
std::optional<KernelKind> kernel_kind_of(Kind kind) {
  switch (kind) {
    case Kind::vxlan:
      return KernelKind{KernelTunnel::vxlan, kVxlanMtuBytes};
    case Kind::kernel_sit:
      return KernelKind{KernelTunnel::sit, kIpInIpMtuBytes};
    case Kind::kernel_ipip:
      return KernelKind{KernelTunnel::ipip, kIpInIpMtuBytes};
    case Kind::kernel_gre:
      return KernelKind{KernelTunnel::gre, kGreMtuBytes};
    default:
      return {};
  }
}

Result<void> add_kernel_end(const Namespace& where, const KernelKind& kind, std::size_t end) {
  auto added = where.inside(
      [&] { return add_kernel_tunnel(kind.tunnel, kTunnelDevice, kWire, ends_seen_from(end)); });
  if (!added && added.error().code == EOPNOTSUPP)
    return fail(EOPNOTSUPP, "kernel tunnel", {}, "not in this kernel");
  return added;
}

std::vector<std::string> culvert_command(const TunnelPlan& plan, std::size_t end) {
  std::vector<std::string> command{culvert_program(), "run"};
  for (const auto& [name, value] : plan.options) {
    command.push_back(program::option_name(name));
    command.push_back(value);
  }
  command.push_back(kTunnelDevice);
  for (std::string& word : culvert_arguments(plan, end)) command.push_back(std::move(word));
  return command;
}

std::vector<std::string> socat_command(InnerNetwork inner, std::size_t end) {
  const auto [local, remote] = ends_seen_from(end);
  return {"socat", "-b", "65536",
          std::string{"TUN,tun-name="} + kTunnelDevice + ",iff-no-pi,iff-up",
          "IP4-SENDTO:" + remote.to_text() + ":" + std::to_string(inner.ip_protocol()) +
              ",bind=" + local.to_text()};
}

}  // namespace

Result<void> Tunnel::start_process(const TunnelPlan& plan, std::size_t end) {
  const std::string who = plan.name + " at end " + kEndNames[end];
  const auto next_hop = find_next_hop(rig_, end);
  if (!next_hop) return Unexpected{next_hop.error()};
  const Process::Body body = [&] {
    return plan.kind == Kind::bare
               ? run_bare(kTunnelDevice, ends_seen_from(end), *next_hop)
               : run_single(kTunnelDevice, ends_seen_from(end), inner_.ip_protocol());
  };
  auto process = plan.kind == Kind::culvert
                     ? Process::start(rig_.ends[end], who, Program{culvert_command(plan, end)})
                 : plan.kind == Kind::socat
                     ? Process::start(rig_.ends[end], who, Program{socat_command(inner_, end)})
                     : Process::start(rig_.ends[end], who, body);
  if (!process) return Unexpected{process.error()};
  processes_[end] = std::move(*process);
  return {};
}

/// Waits for the device, and for socat's to be up: socat reads its flags and writes them back once
/// it has made it, and would take it down again if we brought it up in between.
Result<void> Tunnel::wait_for_device(const TunnelPlan& plan, std::size_t end) {
  for (const auto deadline = Clock::now() + kReady;;) {
    auto ready = rig_.ends[end].inside([&]() -> Result<bool> {
      return plan.kind == Kind::socat ? is_up(kTunnelDevice) : ::if_nametoindex(kTunnelDevice) != 0;
    });
    if (!ready) return Unexpected{ready.error()};
    if (*ready) return {};
    if (auto running = check_running(); !running) return running;
    if (Clock::now() > deadline) return fail(0, name_, {}, "makes no device");
    if (auto paused = pause(milliseconds{5}); !paused) return paused;
  }
}

Result<void> Tunnel::open_end(const TunnelPlan& plan, std::size_t end) {
  if (const auto kernel = kernel_kind_of(plan.kind)) {
    if (auto added = add_kernel_end(rig_.ends[end], *kernel, end); !added) return added;
    return configure(rig_.ends[end], inner_.prefix(end), kernel->mtu_bytes);
  }
  if (auto started = start_process(plan, end); !started) return started;
  if (plan.kind == Kind::culvert) return {};
  if (auto there = wait_for_device(plan, end); !there) return there;
  return configure(rig_.ends[end], inner_.prefix(end), kIpInIpMtuBytes);
}

Result<void> Tunnel::wait_for_reply() {
  for (const auto deadline = Clock::now() + kReady; Clock::now() < deadline;) {
    if (auto running = check_running(); !running) return running;
    const auto answer = echo_->measure(milliseconds{100});
    if (!answer) return Unexpected{answer.error()};
    if (*answer) return {};
  }
  return fail(0, name_, {}, "no answer through the tunnel");
}

Result<void> Tunnel::check_running() {
  for (auto& process : processes_) {
    if (!process) continue;
    if (auto running = process->check_running(); !running) return running;
  }
  return {};
}

Result<std::unique_ptr<Tunnel>> Tunnel::open(const TunnelPlan& plan) {
  if (plan.kind == Kind::socat && find_program("socat").empty())
    return fail(EOPNOTSUPP, "socat", {}, "not installed");
  auto rig = Rig::build();
  if (!rig) return Unexpected{rig.error()};
  auto tunnel = std::unique_ptr<Tunnel>{new Tunnel{plan, std::move(*rig)}};
  for (std::size_t end = 0; end < kEnds; ++end) {
    if (auto opened = tunnel->open_end(plan, end); !opened) return Unexpected{opened.error()};
  }
  auto echo = Echo::open(tunnel->rig_.ends[0], tunnel->address(1));
  // The route exists only when the device is up: repeat until there is a reply.
  for (int tries = 0; !echo && tries < 200; ++tries) {
    if (auto running = tunnel->check_running(); !running) return Unexpected{running.error()};
    if (auto paused = pause(milliseconds{20}); !paused) return Unexpected{paused.error()};
    echo = Echo::open(tunnel->rig_.ends[0], tunnel->address(1));
  }
  if (!echo) return Unexpected{echo.error()};
  tunnel->echo_ = std::move(*echo);
  if (auto answered = tunnel->wait_for_reply(); !answered) return Unexpected{answered.error()};
  return tunnel;
}

}  // namespace culvert::bench
