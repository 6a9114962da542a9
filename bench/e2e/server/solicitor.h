// Who asks for neighbors on an Ethernet segment, by a packet socket: the kernel's own neighbor
// discovery is not in the way, so that it is the responder who is measured. In a process of its own.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "io/result.h"
#include "proto/address.h"

namespace culvert::bench::server {

/// What an solicitor shares with who measures. Counters have one writer and order nothing, so they are
/// relaxed.
struct SolicitorState {
  std::atomic<bool> stop{false};  ///< from who measures
  std::atomic<bool> hold{true};   ///< the same: nothing new is asked while it is true
  std::atomic<std::uint64_t> sent{0};
  std::atomic<std::uint64_t> answered{0};    ///< only solicit_and_wait() counts it, and the next
  std::atomic<std::uint64_t> unanswered{0};  ///< for 100 ms: given up

  [[nodiscard]] bool stopped() const noexcept { return stop.load(std::memory_order_relaxed); }
  [[nodiscard]] bool held() const noexcept { return hold.load(std::memory_order_relaxed); }
};

struct Solicitor {
  std::string device;                       ///< of the calling thread's namespace
  proto::Ipv6Address source;                ///< link-local, of that device
  std::vector<proto::Ipv6Prefix> prefixes;  ///< /64s, which take turns; the rest is at random
};

/// Keeps so many solicitations outstanding: when one is answered it asks for another target at
/// once. It never sleeps but while it is held, so that no wake-up of its own is in the figures.
/// `cpu`: the one that it runs on, counted around.
[[nodiscard]] Result<void> solicit_and_wait(const Solicitor& solicitor, std::size_t outstanding,
                                            std::size_t cpu, SolicitorState& state);

/// Asks so many a second, each from another address beside `source`, and does not look at what is
/// answered.
[[nodiscard]] Result<void> send_storm(const Solicitor& solicitor, std::uint64_t per_second,
                                      SolicitorState& state);

}  // namespace culvert::bench::server
