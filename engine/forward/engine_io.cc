#include "engine/forward/engine_io.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "io/bpf/steering.h"
#include "io/packet_socket.h"
#include "io/poller.h"
#include "io/raw_socket.h"
#include "io/ring.h"
#include "io/route_lookup.h"
#include "io/tun.h"

namespace culvert {

bool wants_order_across_workers(const TunnelConfig& tunnel) {
  return dispatch(tunnel.mode, [](auto encapsulation, const auto& parameters) {
    return encapsulation.sends_sequence(parameters) || encapsulation.wants_sequence(parameters);
  });
}

namespace {

bool has_protocol(std::span<const proto::DemuxRule> rules, std::uint8_t ip_protocol) {
  return std::any_of(rules.begin(), rules.end(),
                     [&](const proto::DemuxRule& rule) { return rule.ip_protocol == ip_protocol; });
}

/// The IP protocols of the rules.
std::vector<std::uint8_t> protocols_of(std::span<const proto::DemuxRule> rules) {
  std::vector<std::uint8_t> protocols;
  for (const proto::DemuxRule& rule : rules) protocols.push_back(rule.ip_protocol);
  return protocols;
}

}  // namespace

std::vector<proto::DemuxRule> demux_rules(const Config& config) {
  std::vector<proto::DemuxRule> rules;
  const auto add = [&](const proto::DemuxRule& rule) {
    if (!has_protocol(rules, rule.ip_protocol)) rules.push_back(rule);
  };
  const bool may_grow = std::any_of(config.tunnels.begin(), config.tunnels.end(),
                                    [](const auto& tunnel) { return !tunnel.is_catch_all(); });
  if (may_grow) {
    for_each_encapsulation([&](auto encapsulation) {
      for (const auto& rule : encapsulation.kDemux) add(rule);
    });
  } else {
    for (const TunnelConfig& tunnel : config.tunnels) for_each_demux_rule(tunnel.mode, add);
  }
  return rules;
}

std::string_view mode_refusal(const OpenedIo& opened, const Parameters& mode) {
  if (link_type(mode) != opened.link_type)
    return "a device does not change between TUN and TAP: restart it";
  bool receives_all = true;
  for_each_demux_rule(mode, [&](const proto::DemuxRule& rule) {
    receives_all &= has_protocol(opened.demux, rule.ip_protocol);
  });
  return receives_all ? "" : "the device does not receive this mode's IP protocol: restart it";
}

namespace {

/// The sockets listen on all interfaces and report the interface of each packet; inbound() compares
/// it with the tunnel's.
Result<void> open_receive(io::ReceiveKind kind, OpenedIo& opened) {
  const auto protocols = protocols_of(opened.demux);
  if (kind == io::ReceiveKind::packet) {
    auto sockets =
        io::open_packet_sockets({.protocols = protocols, .interface = {}}, opened.workers.size());
    if (!sockets) return Unexpected{sockets.error()};
    for (std::size_t i = 0; i < opened.workers.size(); ++i) {
      opened.workers[i].receive.push_back(std::move((*sockets)[i]));
    }
  }
  for (const std::uint8_t protocol : protocols) {
    // Raw receive sockets need the guard as well: one with a full buffer does not count as a
    // receiver.
    auto guard = io::open_raw_guard_socket(protocol);
    if (!guard) return Unexpected{guard.error()};
    opened.guards.push_back(std::move(*guard));
    if (kind == io::ReceiveKind::packet) continue;
    // Each raw socket gets a copy of every packet, so only the first worker has one.
    auto socket = io::open_raw_receive_socket(protocol, "");
    if (!socket) return Unexpected{socket.error()};
    opened.workers.front().receive.push_back(std::move(*socket));
  }
  for (auto& worker : opened.workers) worker.receive_kind = kind;
  return {};
}

Result<void> choose_receive(const Config& config, OpenedIo& opened, IoSelection& selection) {
  if (config.receive == ReceiveChoice::raw) {
    selection.receive = io::ReceiveKind::raw;
    selection.receive_reason = "asked for";
    return open_receive(io::ReceiveKind::raw, opened);
  }
  auto packet = open_receive(io::ReceiveKind::packet, opened);
  if (packet || config.receive == ReceiveChoice::packet) {
    selection.receive_reason = config.receive == ReceiveChoice::packet ? "asked for" : "available";
    return packet;
  }
  for (auto& worker : opened.workers) worker.receive.clear();
  opened.guards.clear();
  selection.receive = io::ReceiveKind::raw;
  selection.receive_reason = packet.error().message();
  return open_receive(io::ReceiveKind::raw, opened);
}

Result<void> open_raw_send(OpenedIo& opened) {
  for (auto& worker : opened.workers) {
    auto send = io::open_raw_send_socket("");
    if (!send) return Unexpected{send.error()};
    worker.send = std::move(*send);
  }
  auto icmp = io::open_icmp_socket(protocols_of(opened.demux));
  if (!icmp) return Unexpected{icmp.error()};
  opened.workers.front().icmp = std::move(*icmp);
  return {};
}

/// Opens a packet socket per worker, and the BPF program that lets the kernel segment
/// super-packets. If BPF is forbidden, each segment is sent by itself.
Result<void> open_packet_send(const Config& config, OpenedIo& opened) {
  for (auto& worker : opened.workers) {
    auto socket = io::open_packet_send_socket();
    if (!socket) return Unexpected{socket.error()};
    worker.packet_send = std::move(*socket);
  }
  auto encapsulator =
      io::EncapsulatorProgram::open(opened.workers.size(), config.sizes.tun_packets);
  if (!encapsulator) {
    if (config.log)
      config.log(LogLevel::debug, "super-packets are cut here: " + encapsulator.error().message());
    return {};
  }
  opened.encapsulator = std::move(*encapsulator);
  for (std::size_t i = 0; i < opened.workers.size(); ++i)
    opened.workers[i].slots = opened.encapsulator->slots_of(i);
  return {};
}

Result<void> choose_send(const Config& config, OpenedIo& opened, IoSelection& selection) {
  if (auto raw = open_raw_send(opened); !raw) return raw;
  if (config.send == SendChoice::raw) {
    selection.send_reason = "asked for";
    return {};
  }
  auto packet = open_packet_send(config, opened);
  if (packet || config.send == SendChoice::packet) return packet;
  for (auto& worker : opened.workers) worker.packet_send.reset();
  selection.send_reason = packet.error().message();
  return {};
}

/// If BPF steering is refused, a flow may move once from one worker to another. That is not worth a
/// warning.
void steer(const Config& config, const io::Tun& tun) {
  if (tun.queues.size() == 1) return;
  const auto steered = io::steer_by_flow(tun);
  if (!steered && config.log)
    config.log(LogLevel::debug,
               tun.name + ": the kernel steers flows: " + steered.error().message());
}

/// If BPF is forbidden, the kernel's IP stack also processes the received packets, which costs CPU
/// time.
void open_bypass(const Config& config, OpenedIo& opened) {
  auto bypass = io::BypassProgram::open(opened.demux, kMaxTunnels * kMaxDemuxRules);
  if (bypass) {
    opened.bypass = std::move(*bypass);
  } else if (config.log) {
    config.log(LogLevel::debug,
               "no bypass, the kernel's IP stack also processes received packets: " +
                   bypass.error().message());
  }
}

Result<void> open_tun_queues(const Config& config, OpenedIo& opened) {
  auto tun = io::open_tun(config.device, opened.workers.size(), opened.link_type, config.offload);
  if (!tun) return Unexpected{tun.error()};
  opened.device = tun->name;
  opened.device_index = tun->index;
  opened.tun_has_uso = tun->has_uso;
  steer(config, *tun);
  for (std::size_t i = 0; i < opened.workers.size(); ++i)
    opened.workers[i].tun = std::move(tun->queues[i]);
  return {};
}

/// Without io_uring, `auto` selects epoll and records the reason; `uring` fails.
Result<void> choose_io(const Config& config, IoSelection& selection) {
  selection.io_reason = "asked for";
  if (config.io == IoChoice::epoll) return io::probe_poller();
  auto probed = io::probe_ring();
  selection.uring = probed.has_value();
  if (config.io == IoChoice::automatic && !probed) {
    if (auto poller = io::probe_poller(); !poller) return poller;
  }
  if (config.io == IoChoice::automatic) {
    selection.io_reason = probed ? "available" : probed.error().message();
  } else if (!probed) {
    Error error = std::move(probed.error());
    error.object += " for io uring";
    error.advice += (error.advice.empty() ? "" : "; ") + std::string{"write io auto or epoll"};
    return Unexpected{std::move(error)};
  }
  return {};
}

/// A tunnel has one series of sequence numbers (RFC 2890 2.2), so one worker must write and check
/// them.
void limit_workers(Config& config) {
  const bool is_ordered =
      std::any_of(config.tunnels.begin(), config.tunnels.end(), wants_order_across_workers);
  if (!is_ordered || config.workers == 1) return;
  config.workers = 1;
  if (config.log)
    config.log(LogLevel::warning,
               config.device + ": 1 worker, because seq orders all packets of a tunnel");
}

Result<void> use_injected(InjectedDescriptors injected, Config& config, OpenedIo& opened,
                          IoSelection& selection) {
  opened.device = config.device;
  opened.demux = demux_rules(config);
  opened.workers = std::move(injected);
  config.workers = static_cast<unsigned>(opened.workers.size());
  selection.receive = opened.workers.front().receive_kind;
  selection.receive_reason = "injected";
  const bool has_packet_send = std::all_of(opened.workers.begin(), opened.workers.end(),
                                           [](auto& worker) { return bool{worker.packet_send}; });
  if (!has_packet_send) selection.send_reason = "injected";
  return {};
}

Result<void> open_descriptors(const Config& config, OpenedIo& opened, IoSelection& selection) {
  opened.workers.resize(config.workers);
  opened.demux = demux_rules(config);
  if (auto tun = open_tun_queues(config, opened); !tun) return tun;
  if (auto receive = choose_receive(config, opened, selection); !receive) return receive;
  if (selection.receive == io::ReceiveKind::packet) open_bypass(config, opened);
  return choose_send(config, opened, selection);
}

}  // namespace

Result<void> open_io(Config& config, InjectedDescriptors injected, OpenedIo& opened,
                     IoSelection& selection) {
  limit_workers(config);
  opened.link_type = link_type(config.tunnels.front().mode);
  if (auto io = choose_io(config, selection); !io) return io;
  return injected.empty() ? open_descriptors(config, opened, selection)
                          : use_injected(std::move(injected), config, opened, selection);
}

}  // namespace culvert
