// NdpProxy: answers neighbor solicitations on one Ethernet interface for targets that are reached
// through this host (RFC 4861 7.2.8). It is a responder for prefixes, not the bridge of RFC 4389:
// it forwards no packet of neighbor discovery.
//
//     auto proxy = culvert::NdpProxy::open(config);
//     (*proxy)->start();                        // its thread; the interface may not exist yet
//     (*proxy)->set_interface(facts);           // the interface exists, or has changed
//     (*proxy)->set_tunnel_prefixes(prefixes);  // for rules with `auto`
//     ... (*proxy)->status(), lose_interface(), apply(new_config) ...
//     (*proxy)->stop();                         // joins the thread
//
// A proxy has a thread of its own, so that a storm of solicitations stalls no tunnel. It does not
// read netlink: its owner reports changes of interface, addresses, neighbors and tunnels. It
// changes no setting of the interface: group memberships and all-multicast belong to its sockets,
// and the kernel removes them however the process ends. The host routes of rules with `wire` have a
// lifetime, so they too end by themselves.
//
// Threads: the owner calls open, start, apply, set_*, lose_interface and stop from one thread at a
// time, before start or while the proxy runs. Any thread may call status at any time.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/ndp/ndp_config.h"
#include "engine/ndp/ndp_counters.h"
#include "engine/ndp/ndp_routes.h"
#include "io/result.h"
#include "proto/address.h"
#include "proto/ethernet.h"

namespace culvert {

/// The properties of an Ethernet interface that netlink reports.
struct NdpInterface {
  unsigned index = 0;
  proto::EthernetAddress address{};
  /// A link-local address of the interface that is not tentative, or another address if it has no
  /// link-local one. ::, if there is none yet; until then nothing is answered.
  proto::Ipv6Address link_local{};
  /// An address of global scope that is neither tentative nor deprecated. ::, if there is none.
  proto::Ipv6Address global{};
  /// All IPv6 addresses of the interface; the kernel answers for them.
  std::vector<proto::Ipv6Address> own;
  /// The prefixes of these addresses, with all host bits 0, without those of 128 bits and fe80::/10:
  /// the link's own.
  std::vector<proto::Ipv6Prefix> on_link;
  std::uint16_t mtu_bytes = 1500;

  friend bool operator==(const NdpInterface&, const NdpInterface&) = default;
};

/// The source address of an answer for `target`. ::, if nothing can be answered yet.
[[nodiscard]] proto::Ipv6Address ndp_source(NdpSource source, const NdpInterface& interface,
                                            const proto::Ipv6Address& target) noexcept;

/// A neighbor on the interface's own link, as the kernel knows it.
struct NdpNeighbor {
  proto::Ipv6Address address{};
  proto::EthernetAddress link_layer{};

  friend auto operator<=>(const NdpNeighbor&, const NdpNeighbor&) = default;
};

/// One prefix behind a tunnel. A prefix of several tunnels is up if one of them is up.
struct NdpTunnelPrefix {
  proto::Ipv6Prefix prefix{};
  bool is_up = true;
  unsigned device_index = 0;  ///< the tunnel's device

  friend bool operator==(const NdpTunnelPrefix&, const NdpTunnelPrefix&) = default;
};

/// The indexes of interfaces by their names. 0 or absent: there is no such interface.
using NdpInterfaces = std::map<std::string, unsigned>;

/// A host with a route of its own, because a rule with `wire` has found it there.
struct NdpWired {
  proto::Ipv6Address address{};
  std::string interface;

  friend bool operator==(const NdpWired&, const NdpWired&) = default;
};

struct NdpStatus {
  NdpConfig config;
  NdpInterface interface;      ///< index 0: the interface does not exist
  bool running = false;        ///< its thread runs
  std::size_t groups = 0;      ///< solicited-node groups joined; 0 with all-multicast
  bool all_multicast = false;  ///< the interface receives all multicast, for this socket
  std::string membership;      ///< the reason for groups or all-multicast, as a sentence
  /// Neighbors that may be on the link, reported by the owner or learned; a target that one of them
  /// claims is answered for until the neighbor has answered a solicitation.
  std::size_t on_link = 0;
  /// Neighbors that have answered one lately: nothing is answered for these targets. At most
  /// NdpResponder::kConfirmation.cache.
  std::vector<NdpNeighbor> confirmed;
  std::vector<NdpWired> wired;                   ///< sorted by address; at most kMaxNdpWired
  std::size_t alive = 0, dead = 0, probing = 0;  ///< targets in the probe cache
  std::size_t waiting = 0;  ///< solicitations that wait for a probe or a delayed answer
  NdpTotals totals;
};

class NdpProxy {
 public:
  /// Validates `config`, and opens the socket for probes if a rule has `probe`. The error names the
  /// option or the socket and says what to do.
  /// `routes`: the kernel's routes, which `auto` and `probe` follow then; null: `auto` goes by the
  /// tunnels' prefixes alone.
  [[nodiscard]] static Result<std::unique_ptr<NdpProxy>> open(
      NdpConfig config, std::unique_ptr<NdpRoutes> routes = nullptr);

  virtual ~NdpProxy() = default;

  /// Starts the thread.
  [[nodiscard]] virtual Result<void> start() = 0;
  /// Applies new rules and limits while the proxy answers. Counters and the state of neighbors and
  /// targets stay. Refused: a change of the interface's name or of the sizes of the tables.
  [[nodiscard]] virtual Result<void> apply(const NdpConfig& config) = 0;
  /// Reports that the interface exists and is up, or that its properties have changed. Opens a new
  /// socket if the index has changed or !is_bound(), joins groups and announces targets. After an error nothing is
  /// served until it is called again.
  [[nodiscard]] virtual Result<void> set_interface(const NdpInterface& interface) = 0;
  /// Whether the proxy still receives from the interface of set_interface(). False also if that one
  /// was unregistered and another has its index: set_interface() must be called again.
  [[nodiscard]] virtual bool is_bound() const = 0;
  /// Reports that the interface is gone or down. Closes its socket and drops the learned neighbors.
  virtual void lose_interface() = 0;
  /// Sets the prefixes behind the tunnels of all devices; replaces the previous ones.
  virtual void set_tunnel_prefixes(std::vector<NdpTunnelPrefix> prefixes) = 0;
  /// Sets the neighbors on the interface's own link that the kernel knows (reachable, stale, delay,
  /// probe, permanent; not failed or incomplete, and no proxy entries), at most kMaxNdpOnLink.
  /// Replaces the previous ones, which stay valid until then. Learned neighbors are kept
  /// separately. None of them is believed before it has answered a solicitation: see NdpNeighbors.
  virtual void set_on_link(std::vector<NdpNeighbor> neighbors) = 0;
  /// Sets what the kernel's routing tables say; replaces the previous.
  virtual void set_kernel_routes(NdpKernelRoutes routes) = 0;
  /// Sets the interfaces that NdpRule::interfaces name; replaces the previous. Until then such a rule
  /// probes nothing.
  virtual void set_rule_interfaces(NdpInterfaces interfaces) = 0;
  /// Stops and joins the thread, and removes the host routes of rules with `wire`. Counters stay
  /// readable. The destructor calls it too.
  virtual void stop() = 0;

  [[nodiscard]] virtual NdpStatus status() const = 0;
};

}  // namespace culvert
