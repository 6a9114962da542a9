// NdpProbes: the state of `probe` targets (alive or dead), learned from ICMPv6 echo requests, and
// the solicitors that wait for it. Fixed memory: a new target only replaces a target whose state
// has expired or is dead, so an address scan evicts no live target (RFC 6583). One thread; no
// system call, no clock, no allocation.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/model/token_bucket.h"
#include "engine/ndp/address_table.h"
#include "engine/ndp/ndp_config.h"
#include "engine/ndp/ndp_counters.h"
#include "engine/tables/tunnel.h"
#include "proto/ethernet.h"

namespace culvert {

/// The sender of a solicitation.
struct NdpSolicitor {
  proto::Ipv6Address source{};  ///< :: for duplicate address detection
  /// Link-layer destination of the answer; unused if the source is ::.
  proto::EthernetAddress address{};
  bool was_multicast = false;
  Time solicited_at{};
};

class NdpProbes {
 public:
  /// Solicitors that can wait for one target: usually two routers.
  static constexpr std::size_t kSolicitors = 2;
  /// After this time a solicitor has solicited again or given up (RFC 4861 10: three times, 1 s
  /// apart).
  static constexpr std::chrono::seconds kSolicitorTimeout{4};

  NdpProbes(const NdpProbe& config, std::uint64_t seed);
  /// Applies new limits. `config.cache` is ignored: the size is fixed.
  void apply(const NdpProbe& config) noexcept;

  /// Targets that the table holds.
  [[nodiscard]] std::size_t size() const noexcept { return targets_.entries().size(); }

  /// The decision about a solicitation for `target`.
  struct Verdict {
    bool is_alive = false;  ///< answer now
    bool send_probe = false;
    /// NdpIgnored::none and not is_alive: the solicitor waits for the probe.
    NdpIgnored ignored = NdpIgnored::none;
  };
  [[nodiscard]] Verdict check(const proto::Ipv6Address& target, const NdpSolicitor& solicitor,
                              Time now) noexcept;

  /// Probes a target again although nobody solicits it.
  struct Renewal {
    bool is_known = false;  ///< false: its state was evicted
    bool send_probe = false;
  };
  [[nodiscard]] Renewal renew(const proto::Ipv6Address& target, Time now) noexcept;

  /// The end of a probe. `solicitors` are the waiting solicitors, a view into the table that is
  /// valid until its next change.
  struct Outcome {
    proto::Ipv6Address target{};
    std::span<const NdpSolicitor> solicitors{};
    bool was_probing = false;  ///< the target was being probed
  };
  /// Ends a probe. `is_alive`: the target has answered an echo request. False: it counts as dead,
  /// although an answer may have arrived on a link to which no tunnel leads.
  Outcome settle(const proto::Ipv6Address& target, bool is_alive, Time now) noexcept;

  /// Forgets that a target is dead: there is new evidence of it.
  void revive(const proto::Ipv6Address& target) noexcept;

  /// One try that has timed out by `now`: either it is sent again, or the target is dead.
  struct Overdue {
    bool is_any = false;
    bool send_probe = false;
    Outcome outcome{};
  };
  [[nodiscard]] Overdue overdue(Time now) noexcept;
  /// The time of the next time-out; Time::max(): no probe is running.
  [[nodiscard]] Time next_due() const noexcept;

  /// The targets that are alive. Allocates.
  [[nodiscard]] std::vector<proto::Ipv6Address> alive(Time now) const;
  struct Sizes {
    std::size_t alive = 0, dead = 0, probing = 0, waiting = 0;
  };
  [[nodiscard]] Sizes sizes(Time now) const noexcept;

 private:
  enum class State : std::uint8_t { unknown, alive, dead };
  struct Target {
    State state = State::unknown;  ///< unknown: the first probe is running
    bool is_probing = false;
    std::uint8_t tries = 0;
    std::uint8_t solicitor_count = 0;
    Time until{};  ///< expiry of `state`
    Time due{};    ///< time-out of the running try
    std::array<NdpSolicitor, kSolicitors> solicitors{};
  };
  struct Try {
    proto::Ipv6Address target{};
    Time due{};
  };

  [[nodiscard]] static bool is_alive(const Target& target, Time now) noexcept;
  [[nodiscard]] bool begin(Target& target, const proto::Ipv6Address& address, Time now) noexcept;
  void push(const Try& a_try) noexcept;
  void pop() noexcept;

  NdpProbe config_;
  TokenBucket::Rate rate_;
  TokenBucket bucket_;
  AddressTable<Target> targets_;
  std::vector<Try> tries_;  ///< ring in the order of `due`, one element per target
  std::size_t first_ = 0, count_ = 0;
};

}  // namespace culvert
