// NdpProbes: which targets of `probe` rules are alive, by what became of echo requests to them; and
// who waits for that. Fixed memory: places are given to new targets only where nothing is known any
// more, or one is known to be dead; so a scan makes it forget nobody who is there (RFC 6583). One
// thread; no system call, no clock, no allocation.
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

/// Who has asked for a target, and how.
struct NdpSolicitor {
  proto::Ipv6Address source{};       ///< :: for duplicate address detection
  proto::EthernetAddress address{};  ///< where the answer goes; of no use with ::
  bool was_multicast = false;
  Time asked{};
};

class NdpProbes {
 public:
  static constexpr std::size_t kSolicitors =
      2;  ///< that wait for one target: two routers, most often
  /// An solicitor has asked again, or given up, after that (RFC 4861 10: three times, 1 s apart).
  static constexpr std::chrono::seconds kSolicitorTimeout{4};

  NdpProbes(const NdpProbe& config, std::uint64_t seed);
  /// `config.cache` is not looked at again.
  void apply(const NdpProbe& config) noexcept;

  /// What is to be done about a solicitation for `target`.
  struct Verdict {
    bool is_alive = false;  ///< answer now
    bool send_probe = false;
    NdpIgnored ignored = NdpIgnored::none;  ///< neither that nor set: the solicitor waits
  };
  [[nodiscard]] Verdict ask(const proto::Ipv6Address& target, const NdpSolicitor& solicitor,
                            Time now) noexcept;

  /// A probe's end: who waited for it. The solicitors are views into the table until its next change.
  struct End {
    proto::Ipv6Address target{};
    std::span<const NdpSolicitor> solicitors{};
    bool was_awaited = false;  ///< it is known, and was being asked about
  };
  /// The target has answered an echo request; or it is not where a tunnel leads, though somebody
  /// answered, and counts as dead.
  End settle(const proto::Ipv6Address& target, bool is_alive, Time now) noexcept;

  /// One probe whose time is over by `now`, if there is any: either it is to be sent again, or the
  /// target is dead.
  struct Overdue {
    bool is_any = false;
    bool send_probe = false;
    End end{};
  };
  [[nodiscard]] Overdue overdue(Time now) noexcept;
  /// When overdue() has something to say; Time::max(): nothing is under way.
  [[nodiscard]] Time next_due() const noexcept;

  struct Sizes {
    std::size_t alive = 0, dead = 0, probing = 0, waiting = 0;
  };
  [[nodiscard]] Sizes sizes(Time now) const noexcept;

 private:
  enum class State : std::uint8_t { unknown, alive, dead };
  struct Target {
    State state = State::unknown;  ///< unknown: the first probe is under way
    bool is_probing = false;
    std::uint8_t tries = 0;
    std::uint8_t asker_count = 0;
    Time until{};  ///< of `state`
    Time due{};    ///< of the try under way
    std::array<NdpSolicitor, kSolicitors> solicitors{};
  };
  struct Try {
    proto::Ipv6Address target{};
    Time due{};
  };

  [[nodiscard]] bool begin(Target& target, const proto::Ipv6Address& address, Time now) noexcept;
  void push(const Try& a_try) noexcept;
  void pop() noexcept;

  NdpProbe config_;
  TokenBucket::Rate rate_;
  TokenBucket bucket_;
  AddressTable<Target> targets_;
  std::vector<Try> tries_;  ///< a ring, in the order of `due`; as many as there are targets
  std::size_t first_ = 0, count_ = 0;
};

}  // namespace culvert
