// NdpConfig: the configuration of an NDP proxy on one Ethernet interface as plain values, and its
// validation. Members are named after the words of TOML. Values are copied freely; any thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "engine/config.h"
#include "io/result.h"
#include "proto/address.h"

namespace culvert {

/// When a rule answers a solicitation for a target in its prefix.
enum class NdpAnswer : std::uint8_t {
  always,  ///< word `static`: always, whether or not the target exists
  /// Word `auto`: if the kernel's route to the target, default routes excepted, leads to another
  /// interface, or to a tunnel that is up.
  automatic,
  probe,  ///< once the target has answered an ICMPv6 echo request or a neighbor solicitation
};

/// The source address of the answers, and of advertisements that announce targets.
enum class NdpSource : std::uint8_t {
  link_local,  ///< NdpInterface::link_local
  global,      ///< NdpInterface::global
  target,      ///< the target itself
};

/// How targets that are served from now on are announced to the link.
enum class NdpAnnounce : std::uint8_t {
  none,           ///< word `false`
  advertisement,  ///< word `na`: an unsolicited advertisement (RFC 4861 7.2.6)
  /// Word `dad`: a solicitation as in duplicate address detection (RFC 4862 5.4.2), from which some
  /// routers learn the link-layer address.
  duplicate_detection,
  /// Word `echo`: an ICMPv6 echo request from the target, whose reply makes the router solicit it.
  echo_request,
};

/// One rule. The rule with the longest prefix that contains the target decides; the order of rules
/// does not matter.
struct NdpRule {
  proto::Ipv6Prefix prefix{};
  NdpAnswer answer = NdpAnswer::automatic;
  /// Prefixes within `prefix` that are never answered, not even by a rule with a shorter prefix.
  std::vector<proto::Ipv6Prefix> except{};
  /// Word `interface`: a rule with `probe` probes on these interfaces and nowhere else. Empty: by the
  /// kernel's route. At most kMaxNdpRuleInterfaces.
  std::vector<std::string> interfaces{};
  /// A host that has answered on one of `interfaces` gets a route of its own by that interface.
  bool wire = false;

  friend bool operator==(const NdpRule&, const NdpRule&) = default;
};

/// Parameters of `probe` rules. All memory and rates are bounded, and known targets have priority
/// over targets being probed (RFC 6583).
struct NdpProbe {
  std::chrono::milliseconds timeout{500};  ///< time-out of one try
  /// Echo requests per probe; as many as a neighbor's solicitations (RFC 4861 10).
  unsigned tries = 3;
  /// Lifetime of "alive"; after half of it a solicitation probes again.
  std::chrono::milliseconds alive_ttl{30'000};
  /// Lifetime of "dead"; meanwhile nothing is answered or probed.
  std::chrono::milliseconds dead_ttl{5'000};
  std::uint32_t per_second = 500;  ///< limit of tries, with a burst of one second's worth
  std::size_t cache = 4'096;       ///< targets whose state is known, or that are being probed

  friend bool operator==(const NdpProbe&, const NdpProbe&) = default;
};

struct NdpConfig {
  std::string interface;  ///< interface on which solicitations are received and answered
  /// R flag of our advertisements: whether this host forwards packets. A neighbor that uses us as
  /// its default router removes us if an advertisement has R clear (RFC 4861 7.2.5).
  bool router = true;
  std::vector<NdpRule> rules;
  /// Prefixes that are never answered, whatever the rules say.
  std::vector<proto::Ipv6Prefix> except;
  /// Limits of answers per second: in total, and to one source address. 0: no limit. Bursts may
  /// have one second's worth. A neighbor solicits a target at most once a second (RFC 4861 10,
  /// RetransTimer), and confirms a target in use about every 30 seconds (ReachableTime). So 10,000
  /// a second serve a router that starts with 10,000 waiting targets, or one that keeps 300,000,
  /// more than most can hold; this rate costs a few percent of a core. One source gets half, which
  /// leaves the rest to other sources during its storm.
  std::uint32_t answers_per_second = 10'000;
  std::uint32_t answers_per_second_per_source = 5'000;
  /// Answers to multicast solicitations are delayed by a random time up to this (RFC 4861 7.2.8).
  /// 0, because no other proxy is expected on the link.
  std::chrono::milliseconds delay{0};
  NdpSource source = NdpSource::link_local;
  /// Only if there are at most kMaxNdpAnnounced targets (256); larger prefixes are not announced.
  NdpAnnounce announce = NdpAnnounce::advertisement;
  NdpProbe probe{};
  std::size_t on_link = 1'024;  ///< capacity of the table of neighbors on the interface's own link
  /// Lifetime of such a neighbor after it was last seen.
  std::chrono::milliseconds on_link_ttl{600'000};
  Log log;  ///< may be empty: nothing is logged
};

inline constexpr std::size_t kMaxNdpAnnounced = 256;  ///< limit of announced targets in total
inline constexpr std::size_t kMaxNdpGroups = 256;     ///< limit of joined solicited-node groups
inline constexpr std::size_t kMaxNdpRuleInterfaces = 8;
inline constexpr std::size_t kMaxNdpWired = 1'024;  ///< limit of host routes of a proxy
/// RFC 4861 10, MAX_ANYCAST_DELAY_TIME
inline constexpr std::chrono::milliseconds kMaxNdpDelay{1'000};
inline constexpr std::size_t kMaxNdpCache = 1'048'576, kMaxNdpOnLink = 65'536;
inline constexpr std::size_t kMinNdpEntries = 16;
inline constexpr unsigned kMaxNdpTries = 10;
inline constexpr std::uint32_t kMaxNdpProbesPerSecond = 100'000;
inline constexpr std::chrono::milliseconds kMinNdpTimeout{10}, kMaxNdpTimeout{10'000};
inline constexpr std::chrono::milliseconds kMinNdpTtl{100}, kMaxNdpTtl{86'400'000};

/// Whether a rule has `probe`.
[[nodiscard]] bool has_probe(const NdpConfig& config) noexcept;

/// Whether a rule has `wire`.
[[nodiscard]] bool has_wire(const NdpConfig& config) noexcept;

/// Checks everything that does not need the kernel. The error's object is the wrong option and its
/// value ("delay 2000", "rule 2001:db8::/64: except 2001:db9::/64").
[[nodiscard]] Result<void> validate(const NdpConfig& config);

}  // namespace culvert
