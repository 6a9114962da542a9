// NdpProxy: answers neighbor solicitations on one Ethernet interface for targets that are reached
// through this host (RFC 4861 7.2.8). It is a responder for prefixes, not the bridge of RFC 4389:
// no packet of neighbor discovery is passed on.
//
//     auto proxy = culvert::NdpProxy::open(config);
//     (*proxy)->start();                          // its thread; the interface may not be there yet
//     (*proxy)->set_interface(facts);             // it is, or has changed
//     (*proxy)->set_tunnel_prefixes(prefixes);    // for rules with `auto`
//     ... (*proxy)->status(), lose_interface(), apply(new_config) ...
//     (*proxy)->stop();                           // joins the thread; the sockets go with the
//     proxy
//
// It has a thread of its own, so that a storm of solicitations stalls no tunnel, and looks at
// nothing by itself: what netlink says of interface, addresses, neighbors and tunnels is the
// owner's to tell. It changes no setting of the interface: groups and all-multicast are those of
// its sockets, and go with them however the process ends.
//
// open, start, apply, set_*, lose_interface, stop: one thread at a time; they may be called before
// start and while it runs. status: any thread, any time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/ndp/ndp_config.h"
#include "engine/ndp/ndp_counters.h"
#include "io/result.h"
#include "proto/address.h"
#include "proto/ethernet.h"

namespace culvert {

/// What netlink says of an Ethernet interface.
struct NdpInterface {
  unsigned index = 0;
  proto::EthernetAddress address{};
  /// The source of advertisements: a link-local address of the interface that is not tentative.
  /// ::, if there is none yet: nothing is answered until there is.
  proto::Ipv6Address link_local{};
  std::vector<proto::Ipv6Address> own;  ///< all its IPv6 addresses: the kernel answers for these
  std::uint16_t mtu_bytes = 1500;

  friend bool operator==(const NdpInterface&, const NdpInterface&) = default;
};

/// One prefix behind a tunnel. Where several tunnels have the same, it is up if one of them is.
struct NdpTunnelPrefix {
  proto::Ipv6Prefix prefix{};
  bool is_up = true;

  friend bool operator==(const NdpTunnelPrefix&, const NdpTunnelPrefix&) = default;
};

struct NdpStatus {
  NdpConfig config;
  NdpInterface interface;      ///< index 0: not there
  bool running = false;        ///< its thread
  std::size_t groups = 0;      ///< solicited-node groups joined; 0 with all-multicast
  bool all_multicast = false;  ///< the interface hears all groups, for this socket
  std::string membership;      ///< why it is the one or the other, in a sentence
  std::size_t on_link = 0;     ///< neighbors remembered, the owner's and those seen
  std::size_t alive = 0, dead = 0, probing = 0;  ///< targets in the probe cache
  std::size_t waiting = 0;                       ///< solicitations that wait for a probe's end
  NdpTotals totals;
};

class NdpProxy {
 public:
  /// Validates `config`, and opens the socket for probes if a rule has `probe`. Errors name the
  /// word or the socket and say what to do.
  [[nodiscard]] static Result<std::unique_ptr<NdpProxy>> open(NdpConfig config);

  virtual ~NdpProxy() = default;

  /// Starts the thread.
  [[nodiscard]] virtual Result<void> start() = 0;
  /// New rules and limits, while it answers; counters stay, and what is known of neighbors and
  /// targets does. The interface's name and the sizes of the tables cannot change: refused.
  [[nodiscard]] virtual Result<void> apply(const NdpConfig& config) = 0;
  /// The interface is there and up, or one of these facts has changed: opens its socket if the
  /// index is another one, joins groups, announces. On error nothing is served until it is called
  /// again.
  [[nodiscard]] virtual Result<void> set_interface(const NdpInterface& interface) = 0;
  /// The interface is gone or down: closes its socket. Neighbors seen there are forgotten.
  virtual void lose_interface() = 0;
  /// All prefixes behind tunnels, of every device; replaces those before.
  virtual void set_tunnel_prefixes(std::vector<NdpTunnelPrefix> prefixes) = 0;
  /// Neighbors on the interface's own link that the kernel knows (reachable, stale, delay, probe,
  /// permanent; not failed or incomplete, and no proxy entries); replaces those told before. They
  /// are remembered until replaced, beside those that it sees by itself; kMaxNdpOnLink at most.
  virtual void set_on_link(std::vector<proto::Ipv6Address> neighbors) = 0;
  /// Stops and joins the thread. Counters stay readable. Also done by the destructor.
  virtual void stop() = 0;

  [[nodiscard]] virtual NdpStatus status() const = 0;
};

}  // namespace culvert
