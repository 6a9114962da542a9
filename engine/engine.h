// The forwarding engine, the API for embedding. It has no mutable global, installs no signal
// handler, does not write to stdout and never exits the process. Log lines go to Config::log.
//
//     auto engine = culvert::Engine::open(config);  // TUN device, sockets, rings: all or nothing
//     (*engine)->start();                           // starts the workers' threads
//     ... (*engine)->status(), apply(new_config) ...
//     (*engine)->stop();                            // joins the threads
//
// The destructor removes the TUN device. The engine moves packets only: its owner sets the device's
// addresses and routes.
//
// Threads: the owner calls open, start, apply, refresh, set_next_hop, set_outer_interface and stop
// from one thread at a time. Any thread may call status, flow_table and flows at any time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/config.h"
#include "engine/counters.h"
#include "engine/flows/flow_dump.h"
#include "engine/injected_descriptors.h"
#include "io/next_hop.h"

namespace culvert {

struct TunnelStatus {
  TunnelConfig config;
  /// In use now; 0.0.0.0: `local any`, and there is no route to the remote endpoint.
  proto::Ipv4Address local;
  std::uint16_t mtu_bytes = 0;  ///< tunnel MTU in force: device MTU, path MTU, RFC 4213 3.2
  /// Outer packets of an inner packet as large as that. More than 1: they leave as fragments, because
  /// the path MTU is too small for 1,280 bytes of IPv6 (RFC 4213 3.2.2), or the MTU is static.
  std::size_t fragments = 1;
  std::string_view send;    ///< kind of socket that sends now: "packet" or "raw"
  std::string send_reason;  ///< why this kind of socket sends
  Totals totals;
};

struct EngineStatus {
  std::string device;
  unsigned device_index = 0;    ///< 0: the TUN descriptors were injected
  std::uint16_t mtu_bytes = 0;  ///< MTU that the device should have
  std::string_view io;          ///< "uring" or "epoll"
  std::string io_reason;        ///< why the engine uses this one
  std::string_view receive;     ///< "packet" or "raw"
  std::string receive_reason;
  std::string_view offload;  ///< "on": super-packets pass between TUN and engine; "off": none do
  std::string offload_reason;
  unsigned workers = 0;
  bool running = false;
  /// Counters of packets that belong to no tunnel, and of removed tunnels. Added to the totals of
  /// `tunnels` they give all packets that the device has ever counted.
  Totals totals;
  /// Packets that the kernel dropped before the engine could receive them.
  std::uint64_t receive_queue_full = 0;
  std::vector<TunnelStatus> tunnels;  ///< in the order of Config::tunnels
  FlowTableStatus flows;
};

class Engine {
 public:
  /// Validates `config`, creates the TUN device and opens the sockets and rings of all workers. On
  /// failure nothing stays open. The error names the option or the system object and says what to
  /// do.
  [[nodiscard]] static Result<std::unique_ptr<Engine>> open(Config config,
                                                            InjectedDescriptors injected = {});

  virtual ~Engine() = default;

  /// Starts one thread per worker, and the thread that refreshes the routes.
  [[nodiscard]] virtual Result<void> start() = 0;
  /// Adds, changes and removes tunnels while packets flow. A tunnel is identified by its name.
  /// While the name exists the tunnel keeps its counters and sequence numbers; while `remote`,
  /// `local` and `dev` stay the same it also keeps its path and next hop. No packet of an unchanged
  /// tunnel is lost. Without `mtu` the device keeps its current MTU.
  ///
  /// Refused, with nothing changed:
  ///  - another device name, workers, io, busy_poll, pinning, flows, receive or send;
  ///  - an MTU on the other side of 1,280 bytes, if a tunnel can carry IPv6: the kernel would remove
  ///    IPv6 from the device, or return it with other settings;
  ///  - tunnels that need IPv6 on a device with an MTU below 1,280 bytes;
  ///  - a tunnel whose encapsulation's IP protocol the device does not receive. This happens only
  ///    if the device was opened with one tunnel without prefixes: it then receives that tunnel's
  ///    protocol alone. Every other device receives the protocols of all encapsulations;
  ///  - GRE sequence numbers on a device with more than one worker.
  [[nodiscard]] virtual Result<void> apply(const Config& config) = 0;
  /// Looks up the addresses of this host and the routes to all remote endpoints again. The owner
  /// calls it when netlink reports a change. After start() a thread looks up the routes, and status()
  /// has them after path_change_fd() has become readable. A thread of the engine also looks up routes by itself:
  /// 512 a second, or all routes once a second if there are at most 64.
  virtual void refresh() = 0;
  /// Sets the next hop of a tunnel's outer packets. `tunnel` is the tunnel's index in the
  /// Config::tunnels of the last open() or apply(), here and in set_outer_interface(). With a next
  /// hop, packet sockets send the outer packets to it, and the kernel segments TCP super-packets
  /// where it can. Without one (the initial state, or an empty `next_hop`) raw sockets send along
  /// the kernel's route. `reason` appears in status(). The owner follows the changes of route,
  /// neighbor and link that netlink reports. Tunnels with the same PathKey share the next hop. No
  /// effect with SendChoice::raw, or where packet sockets are refused.
  virtual void set_next_hop(std::size_t tunnel, io::NextHop next_hop, std::string reason) = 0;
  /// Names the interface on which a tunnel's outer packets most likely arrive. Where possible, a
  /// BPF program there spares the kernel the work on packets that packet sockets have already
  /// received (io/bpf/bypass_program.h). 0: unknown, no effect. Packets that arrive on another
  /// interface are received all the same.
  virtual void set_outer_interface(std::size_t tunnel, unsigned interface_index) = 0;
  /// Stops the workers and joins their threads. Counters stay readable. The destructor calls it
  /// too.
  virtual void stop() = 0;

  [[nodiscard]] virtual EngineStatus status() const = 0;

  /// The same as status().flows, without the counters of all tunnels.
  [[nodiscard]] virtual FlowTableStatus flow_table() const = 0;
  /// At most `limit` flows of the flow table, most recently active first. flow_table().flows is the
  /// number of all. Empty without pinning.
  [[nodiscard]] virtual std::vector<FlowStatus> flows(std::size_t limit) const = 0;

  /// An eventfd that becomes readable when a worker has stopped because its device is gone. A log
  /// line has said why.
  [[nodiscard]] virtual int failure_fd() const noexcept = 0;
  /// An eventfd that becomes readable when the engine's thread has found another TunnelStatus::local or
  /// MTU of a route. It stays readable until the owner has read its 8 bytes.
  [[nodiscard]] virtual int path_change_fd() const noexcept = 0;
};

}  // namespace culvert
