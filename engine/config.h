// What may be asked of an engine, as plain values, and the check of them. Copied freely; any
// thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/model/encapsulations.h"
#include "io/result.h"
#include "io/sockets.h"
#include "proto/address.h"
#include "proto/ecn.h"

namespace culvert {

enum class LogLevel : std::uint8_t { debug, info, warning, error };

/// Called with one line, without a newline. May be called by the thread that called the engine and
/// by a worker whose device has failed; never on a packet's way.
using Log = std::function<void(LogLevel, std::string_view)>;

/// One tunnel: an outer address pair and how its outer headers are made. The words of the command
/// line and of TOML are the names of the members. What a packet looks at comes last, side by side:
/// a device may have 10,000 of them.
struct TunnelConfig {
  std::string name{};
  /// Inner prefixes behind the tunnel: what goes to them takes it, the longest of all tunnels'
  /// prefixes first. Without any the tunnel takes everything, so it is the only one of its device.
  std::vector<proto::Ipv6Prefix> prefixes6{};
  std::vector<proto::Ipv4Prefix> prefixes4{};
  /// Inner sources that the tunnel may bring in; nothing: those of its prefixes, and the link-local
  /// ones. The checks of RFC 4213 3.6 come on top.
  std::optional<std::vector<proto::Ipv6Prefix>> accept6{};
  std::optional<std::vector<proto::Ipv4Prefix>> accept4{};
  /// The outer interface; empty: any.
  std::string dev{};
  /// Where several tunnels have the same prefix: the lowest metric of those that are up takes new
  /// flows, and among equal ones each its share by weight. One of the two is to be given then.
  std::optional<std::uint32_t> metric{};  ///< as 0
  std::optional<std::uint16_t> weight{};  ///< as 1
  /// The encapsulation and its own parameters.
  Parameters mode{};
  /// Nothing is `any`: the address that the route to `remote` uses.
  std::optional<proto::Ipv4Address> local{};
  /// 0.0.0.0 is `any`: received from whoever sends with the right local address and key; sent only
  /// to where a pinned flow came from, for nothing else is learned.
  proto::Ipv4Address remote{};
  /// False: declared down. It carries nothing, and its flows move to another tunnel of their
  /// prefix.
  bool up = true;
  /// Of the outer header; nothing is `inherit`: the inner hop limit or TTL.
  std::optional<std::uint8_t> ttl{};
  /// DSCP bits of the outer header; nothing is `inherit` (RFC 2983). The ECN bits are `ecn`'s.
  std::optional<std::uint8_t> tos{0};
  proto::EcnMode ecn = proto::EcnMode::normal;
  /// Dynamic MTU, RFC 4213 3.2.2; false: static MTU, DF never set (3.2.1).
  bool pmtudisc = true;
  /// TCP MSS lowered to the tunnel MTU, both directions.
  bool mssclamp = true;
  /// Received segments of one batch and flow may be passed on as one super-packet.
  bool coalesce = true;

  [[nodiscard]] bool is_catch_all() const noexcept {
    return prefixes6.empty() && prefixes4.empty();
  }
  friend bool operator==(const TunnelConfig&, const TunnelConfig&) = default;
};

enum class IoChoice : std::uint8_t { automatic, uring, epoll };
enum class ReceiveChoice : std::uint8_t { automatic, packet, raw };
/// How outer packets are sent: raw sockets, or packet sockets to a next hop that the engine's owner
/// has told (Engine::set_next_hop), raw sockets while there is none.
enum class SendChoice : std::uint8_t { automatic, raw, packet };

/// One device and its tunnels: one engine.
struct Config {
  std::string device;                ///< name of the TUN device
  std::optional<std::uint16_t> mtu;  ///< of the device; nothing: what fits the route to `remote`
  std::vector<TunnelConfig> tunnels;
  /// Source of the ICMPv6 errors that the engine originates: an address of the device. Nothing: the
  /// offending packet's destination, so that a forwarding kernel does not drop the error.
  std::optional<proto::Ipv6Address> icmp_source;
  unsigned workers = 1;
  bool pin_workers = true;  ///< worker n runs on the n-th CPU that the process may use, if there is
                            ///< more than one worker
  IoChoice io = IoChoice::automatic;
  /// How long an idle worker looks for packets before it sleeps; 0: not at all. io/busy_poll.h has
  /// the rule.
  std::chrono::microseconds busy_poll{0};
  ReceiveChoice receive = ReceiveChoice::automatic;
  SendChoice send = SendChoice::automatic;
  /// A flow that came in by a tunnel goes back by it (flow_table.h).
  bool pinning = true;
  std::size_t flows = 65'536;  ///< that the flow table holds, 64 bytes each
  io::QueueSizes sizes{};
  Log log;  ///< may be empty
};

inline constexpr unsigned kMaxWorkers = 64;
inline constexpr std::chrono::microseconds kMaxBusyPoll{100'000};
/// Tunnels of one device.
inline constexpr std::size_t kMaxTunnels = 10'000;
inline constexpr std::size_t kMinFlows = 1'024, kMaxFlows = 16'777'216;

/// Checks what can be checked without the kernel. The error's object is the word that is wrong
/// ("remote", "ttl", "mtu"), with the tunnel's name in front where there are several.
[[nodiscard]] Result<void> validate(const Config& config);

}  // namespace culvert
