// Config: the configuration of one engine (a TUN device and its tunnels) as plain values, and its
// validation. Values are copied freely; any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/model/encapsulations.h"
#include "engine/model/remote_rule.h"
#include "io/result.h"
#include "io/sockets.h"
#include "proto/address.h"
#include "proto/ecn.h"

namespace culvert {

enum class LogLevel : std::uint8_t { debug, info, warning, error };

/// Called with one line without a newline: by the thread that called the engine, or by a worker
/// whose device has failed. Never called on the hot path.
using Log = std::function<void(LogLevel, std::string_view)>;

/// One tunnel: its outer address pair and the rules for its outer headers. Members are named after
/// the words of the command line and of TOML. The members that the hot path reads are adjacent and
/// stand last, because a device may have 10,000 tunnels.
struct TunnelConfig {
  std::string name{};
  /// Inner prefixes behind the tunnel. A packet takes the tunnel that has the longest matching
  /// prefix. A tunnel without any prefix carries all destinations and must be the only one of its
  /// device.
  std::vector<proto::Ipv6Prefix> prefixes6{};
  std::vector<proto::Ipv4Prefix> prefixes4{};
  /// Inner source prefixes that the tunnel may deliver. nullopt: the tunnel's own prefixes and
  /// link-local addresses. The checks of RFC 4213 3.6 always apply as well.
  std::optional<std::vector<proto::Ipv6Prefix>> accept6{};
  std::optional<std::vector<proto::Ipv4Prefix>> accept4{};
  /// Name of the outer interface; empty: any. While there is no such interface, outbound packets
  /// are dropped (send_failed).
  std::string dev{};
  /// For tunnels with the same prefix: new flows use the lowest metric among the tunnels that are
  /// up, and tunnels with equal metric share them by weight. All but one of these tunnels must give
  /// a metric or a weight.
  std::optional<std::uint32_t> metric{};  ///< nullopt counts as 0
  std::optional<std::uint16_t> weight{};  ///< nullopt counts as 1
  /// The encapsulation and its own parameters.
  Parameters mode{};
  /// nullopt is `any`: the source address of the route to `remote`.
  std::optional<proto::Ipv4Address> local{};
  /// With `any` the tunnel accepts every outer source that sends with the right local address and
  /// key. It sends only to outer sources from which a pinned flow arrived, because no other remote
  /// endpoint is known.
  RemoteRule remote{};
  /// False: declared down. The tunnel carries nothing, and its flows move to another tunnel with
  /// their prefix.
  bool up = true;
  /// TTL of the outer header. nullopt is `inherit`: the inner packet's hop limit or TTL.
  std::optional<std::uint8_t> ttl{};
  /// TOS of the outer header, whose two ECN bits must be 0: `ecn` sets them. nullopt is `inherit`:
  /// the inner packet's DSCP (RFC 2983).
  std::optional<std::uint8_t> tos{0};
  proto::EcnMode ecn = proto::EcnMode::normal;
  /// True: dynamic MTU (RFC 4213 3.2.2). False: static MTU, DF never set (3.2.1).
  bool pmtudisc = true;
  /// Lower the MSS of TCP SYNs to the tunnel MTU, in both directions.
  bool mssclamp = true;
  /// Allow GRO: received packets of one flow may be joined into one super-packet within a round.
  bool coalesce = true;

  [[nodiscard]] bool is_catch_all() const noexcept {
    return prefixes6.empty() && prefixes4.empty();
  }
  /// Returns whether IPv6 packets are expected: the tunnel has an IPv6 prefix, or accepts one.
  [[nodiscard]] bool expects_ipv6() const noexcept {
    return !prefixes6.empty() || (accept6 && !accept6->empty());
  }
  friend bool operator==(const TunnelConfig&, const TunnelConfig&) = default;
};

/// Returns whether one of the tunnels has a prefix of this IP version.
[[nodiscard]] bool has_ipv6_prefix(const std::vector<TunnelConfig>& tunnels) noexcept;
[[nodiscard]] bool has_ipv4_prefix(const std::vector<TunnelConfig>& tunnels) noexcept;

enum class IoChoice : std::uint8_t { automatic, uring, epoll };
enum class ReceiveChoice : std::uint8_t { automatic, packet, raw };
/// How outer packets are sent: by raw sockets, or by packet sockets to the next hop that the
/// engine's owner sets (Engine::set_next_hop). While there is no next hop, raw sockets send.
enum class SendChoice : std::uint8_t { automatic, raw, packet };

/// One TUN device and its tunnels: the configuration of one engine.
struct Config {
  std::string device;  ///< name of the TUN device
  /// MTU of the device in bytes; nullopt: the largest that fits the route to `remote` (for several
  /// tunnels the smallest of these)
  std::optional<std::uint16_t> mtu;
  std::vector<TunnelConfig> tunnels;
  /// False: the owner configures no IPv6 on the device. If no tunnel needs IPv6 either, the MTU may be
  /// less than 1,280 bytes; the device then carries IPv4 only.
  bool needs_ipv6 = true;
  /// Source of the ICMPv6 errors that the engine originates: an address of the device. nullopt: the
  /// offending packet's destination, so that a forwarding kernel does not drop the error.
  std::optional<proto::Ipv6Address> icmp_source;
  /// The smallest path MTU in bytes that is learned from ICMPv4 errors, since anybody can forge these
  /// (RFC 5927 7); 68 to 65535. nullopt: what net.ipv4.route.min_pmtu of this host says.
  std::optional<std::uint16_t> min_pmtu;
  unsigned workers = 1;
  /// With more than one worker: worker n runs on the n-th CPU that the process may use.
  bool pin_workers = true;
  IoChoice io = IoChoice::automatic;
  /// How long an idle worker polls for packets before it sleeps. 0: no longer than 50 us, and only
  /// where recent waits predict that a packet is imminent. io/busy_poll.h has the rule.
  std::chrono::microseconds busy_poll{0};
  ReceiveChoice receive = ReceiveChoice::automatic;
  SendChoice send = SendChoice::automatic;
  /// False: no super-packet passes between the TUN device and the engine, in either direction, and
  /// all checksums are complete. TunnelConfig::coalesce then has no effect. With injected descriptors
  /// it applies to writes only.
  bool offload = true;
  /// Return-path pinning: replies of a flow use the tunnel on which the flow arrived
  /// (flows/flow_table.h).
  bool pinning = true;
  /// Capacity of the flow table; each flow takes 65 bytes: an entry of 64 and a tag.
  std::size_t flows = 65'536;
  io::QueueSizes sizes{};
  Log log;  ///< may be empty: nothing is logged
};

inline constexpr unsigned kMaxWorkers = 64;
inline constexpr std::chrono::microseconds kMaxBusyPoll{100'000};
/// Tunnels of one device.
inline constexpr std::size_t kMaxTunnels = 10'000;
inline constexpr std::size_t kMinFlows = 1'024, kMaxFlows = 16'777'216;

/// Checks everything that does not need the kernel. The error's object is the wrong option and its
/// value ("remote 224.0.0.1", "ttl 0"), with the tunnel's name in front if there are several
/// tunnels.
[[nodiscard]] Result<void> validate(const Config& config);

/// Returns whether the device must carry IPv6, so that its MTU is at least 1,280 bytes (RFC 8200 5).
/// Not if no tunnel can carry it, or if Config::needs_ipv6 is false, all tunnels can carry IPv4 and
/// none has an IPv6 prefix. `config` is valid, apart from its MTU.
[[nodiscard]] bool must_carry_ipv6(const Config& config);

/// What decides the path of a tunnel's outer packets. Tunnels with equal keys share one path, and what
/// was learned about it stays valid when one replaces another.
struct PathKey {
  RemoteRule remote;
  std::optional<proto::Ipv4Address> local;
  std::string dev;

  friend auto operator<=>(const PathKey&, const PathKey&) = default;
};
[[nodiscard]] PathKey path_key(const TunnelConfig& tunnel);

/// Returns the word of an option that differs although it cannot change while a device is open, or
/// nothing. `open`: the configuration with which the device was opened. `workers`: the number of
/// its workers, which may be less than `open` states; `next` may state either. Tunnels are not
/// compared: Engine::apply() has their rules.
[[nodiscard]] std::optional<std::string_view> find_fixed_change(const Config& open,
                                                                unsigned workers,
                                                                const Config& next) noexcept;

}  // namespace culvert
