// What may be asked of an NDP proxy on one Ethernet interface, as plain values, and the check of
// them. Copied freely; any thread. The words of TOML are the names of the members.
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

/// When a solicitation is answered whose target lies in a rule's prefix.
enum class NdpAnswer : std::uint8_t {
  always,     ///< word `static`: always, whether or not anybody is there
  automatic,  ///< word `auto`: if the longest of all tunnels' prefixes that hold the target is one
              ///< of a tunnel that is up
  probe,      ///< once the target itself has answered an ICMPv6 echo request by the kernel's route
};

/// One rule. The longest prefix that holds a target decides, wherever it stands.
struct NdpRule {
  proto::Ipv6Prefix prefix{};
  NdpAnswer answer = NdpAnswer::automatic;
  /// Within `prefix`: never answered, also not by a rule with a shorter prefix.
  std::vector<proto::Ipv6Prefix> except{};

  friend bool operator==(const NdpRule&, const NdpRule&) = default;
};

/// Of the rules with `probe`. All is bounded, and what is known goes before what is asked about
/// (RFC 6583).
struct NdpProbe {
  std::chrono::milliseconds timeout{500};       ///< how long one try waits for its answer
  unsigned tries = 3;                           ///< as many as a neighbor's own solicitations
  std::chrono::milliseconds alive_ttl{30'000};  ///< kept; asked about again from half of it on
  std::chrono::milliseconds dead_ttl{5'000};    ///< kept; nothing is answered or asked meanwhile
  std::uint32_t per_second = 500;               ///< tries; and as many at once
  std::size_t cache = 4'096;                    ///< targets that are known, or asked about

  friend bool operator==(const NdpProbe&, const NdpProbe&) = default;
};

struct NdpConfig {
  std::string interface;  ///< where solicitations are heard and answered
  /// The R flag of what is sent: whether this host forwards packets. A neighbor that has us as its
  /// default router drops us if an advertisement says otherwise (RFC 4861 7.2.5).
  bool router = true;
  std::vector<NdpRule> rules;
  std::vector<proto::Ipv6Prefix> except;  ///< never answered, whatever the rules say
  /// Answers in all, and to one source address; 0: no limit. A second's worth goes at once. A
  /// neighbor asks for a target at most once a second (RFC 4861 10, RetransTimer), and confirms one
  /// that it uses about every 30 (ReachableTime): 10,000 a second are a router that starts with
  /// 10,000 targets waiting, or one that keeps 300,000, more than most can hold; at that rate this
  /// costs a few percent of a core. One source gets half, so that there is something left for the
  /// others while it storms.
  std::uint32_t answers_per_second = 10'000;
  std::uint32_t answers_per_second_per_source = 5'000;
  /// Answers to multicast solicitations wait for a random time up to this (RFC 4861 7.2.8). 0,
  /// since no other proxy is expected on the link.
  std::chrono::milliseconds delay{0};
  /// Unsolicited advertisements when targets begin to be served: where there are at most 256 of
  /// them (kMaxNdpAnnounced); nothing is announced of a larger prefix.
  bool announce = true;
  NdpProbe probe{};
  std::size_t on_link = 1'024;  ///< neighbors on the interface's own link that are remembered
  std::chrono::milliseconds on_link_ttl{600'000};  ///< for how long after they were last seen
  Log log;                                         ///< may be empty
};

inline constexpr std::size_t kMaxNdpAnnounced = 256;  ///< targets in all that are announced
inline constexpr std::size_t kMaxNdpGroups = 256;     ///< solicited-node groups that are joined
inline constexpr std::chrono::milliseconds kMaxNdpDelay{1'000};  ///< MAX_ANYCAST_DELAY_TIME
inline constexpr std::size_t kMaxNdpCache = 1'048'576, kMaxNdpOnLink = 65'536;
inline constexpr std::size_t kMinNdpEntries = 16;
inline constexpr unsigned kMaxNdpTries = 10;
inline constexpr std::uint32_t kMaxNdpProbesPerSecond = 100'000;
inline constexpr std::chrono::milliseconds kMinNdpTimeout{10}, kMaxNdpTimeout{10'000};
inline constexpr std::chrono::milliseconds kMinNdpTtl{100}, kMaxNdpTtl{86'400'000};

/// Checks what can be checked without the kernel. The error's object is the word that is wrong
/// ("delay 2000", "rule 2001:db8::/64: except 2001:db9::/64").
[[nodiscard]] Result<void> validate(const NdpConfig& config);

}  // namespace culvert
