// The forwarding engine, as other daemons embed it. Nothing global, no signal handler, no stdout,
// no exit; log lines go to Config::log.
//
//     auto engine = culvert::Engine::open(config);     // TUN device, sockets, rings: all or
//     nothing
//     (*engine)->start();                              // the workers' threads
//     ... (*engine)->status(), apply(new_config) ...
//     (*engine)->stop();                               // joins them; the device goes with the
//     engine
//
// Addresses and routes of the device are the owner's: the engine moves packets.
// open, start, apply, refresh, set_next_hop, set_outer_interface,
// stop: one thread at a time. status, flows: any
// thread, any time.
#pragma once

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
  proto::Ipv4Address local;     ///< in use now; 0.0.0.0: `any`, and there is no route to the remote
  std::uint16_t mtu_bytes = 0;  ///< tunnel MTU in force: device MTU, path MTU, RFC 4213 3.2
  std::string_view send;        ///< "packet" or "raw", as of now
  std::string send_reason;      ///< why it is that one
  Totals totals;
};

struct EngineStatus {
  std::string device;
  unsigned device_index = 0;    ///< 0: the TUN descriptors were injected
  std::uint16_t mtu_bytes = 0;  ///< that the device should have
  std::string_view io;          ///< "uring" or "epoll"
  std::string io_reason;        ///< why it is that one
  std::string_view receive;     ///< "packet" or "raw"
  std::string receive_reason;
  unsigned workers = 0;
  bool running = false;
  /// Of packets that belong to no tunnel, and of tunnels that have been removed: with those of
  /// `tunnels` it is everything that the device has ever counted.
  Totals totals;
  std::uint64_t receive_queue_full = 0;  ///< packets that the kernel dropped before us
  std::vector<TunnelStatus> tunnels;     ///< in the order of Config::tunnels
  FlowTableStatus flows;
};

class Engine {
 public:
  /// Validates `config`, creates the device and opens everything the workers need. Errors name the
  /// word or the object and say what to do; nothing is left behind.
  [[nodiscard]] static Result<std::unique_ptr<Engine>> open(Config config,
                                                            InjectedDescriptors injected = {});

  virtual ~Engine() = default;

  /// Starts the workers.
  [[nodiscard]] virtual Result<void> start() = 0;
  /// Adds, changes and removes tunnels while packets flow. A tunnel is known by its name: as long
  /// as that is there it keeps its counters and sequence numbers, and its path and next hop as long
  /// as remote, local and dev stay the same. No packet of another tunnel is lost. Without `mtu` the
  /// device keeps the one that it has. Device name, workers, io, receive, send and busy_poll cannot
  /// change, nor can an encapsulation come that the device was opened without: refused, with
  /// nothing changed.
  [[nodiscard]] virtual Result<void> apply(const Config& config) = 0;
  /// Looks up addresses of this host and routes to the remotes again: for the owner to call when
  /// netlink says that they changed. The workers look up routes by themselves too, 512 a second and
  /// each once a second if they are no more than 64.
  virtual void refresh() = 0;
  /// Tells the next hop of a tunnel's outer packets, by its place in the last Config::tunnels, as
  /// everywhere here: from then on they are sent to it by
  /// packet sockets, and TCP super-packets are cut by the kernel where it can. Nothing (the state
  /// at start): they go by the kernel's route through raw sockets. `reason` is for status(). The
  /// owner is to follow what netlink says of route, neighbor and link. Without effect with
  /// SendChoice::raw, or where packet sockets are refused.
  virtual void set_next_hop(std::size_t tunnel, io::NextHop next_hop, std::string reason) = 0;
  /// Tells by which interface a tunnel's packets come, most likely: there the kernel is spared what
  /// it would do with packets that packet sockets have received (io/bpf/bypass_program.h), where it
  /// can be. 0: not known; those that come by others are received all the same.
  virtual void set_outer_interface(std::size_t tunnel, unsigned interface_index) = 0;
  /// Stops and joins the workers. Counters stay readable. Also done by the destructor.
  virtual void stop() = 0;

  [[nodiscard]] virtual EngineStatus status() const = 0;

  /// As status().flows.
  [[nodiscard]] virtual FlowTableStatus flow_table() const = 0;
  /// Flows of the flow table, at most `limit`: those that had a packet last, the latest first. All
  /// there are is flow_table().flows; without pinning there are none.
  [[nodiscard]] virtual std::vector<FlowStatus> flows(std::size_t limit) const = 0;

  /// An eventfd that becomes readable when a worker has stopped by itself, because its device is
  /// gone. The log has said why.
  [[nodiscard]] virtual int failure_fd() const noexcept = 0;
};

}  // namespace culvert
