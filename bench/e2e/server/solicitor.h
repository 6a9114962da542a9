// Solicitor: sends neighbor solicitations on an Ethernet segment with a packet socket. It bypasses
// the kernel's neighbor discovery, so that only the responder is measured. It runs in its own
// process.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "io/result.h"
#include "proto/address.h"

namespace culvert::bench::server {

/// The state that a solicitor shares with the measuring process. Each counter has one writer and
/// orders no other data, so all orders are relaxed.
struct SolicitorState {
  std::atomic<bool> stop{false};  ///< set by the measuring process
  std::atomic<bool> hold{true};   ///< the same: while true, no new solicitations are sent
  std::atomic<std::uint64_t> sent{0};
  std::atomic<std::uint64_t> answered{0};    ///< only solicit_and_wait() counts these two
  std::atomic<std::uint64_t> unanswered{0};  ///< no advertisement within 100 ms

  [[nodiscard]] bool stopped() const noexcept { return stop.load(std::memory_order_relaxed); }
  [[nodiscard]] bool held() const noexcept { return hold.load(std::memory_order_relaxed); }
};

struct Solicitor {
  std::string device;                       ///< of the calling thread's namespace
  proto::Ipv6Address source;                ///< the link-local address of the device
  std::vector<proto::Ipv6Prefix> prefixes;  ///< /64s, used in turn; the interface id is random
};

/// Keeps `outstanding` solicitations outstanding: after an advertisement it solicits another target
/// at once. It sleeps only while it is held, so that its wake-ups are not part of the figures.
/// `cpu`: its CPU, modulo the number of CPUs.
[[nodiscard]] Result<void> solicit_and_wait(const Solicitor& solicitor, std::size_t outstanding,
                                            std::size_t cpu, SolicitorState& state);

/// Sends `per_second` solicitations per second, each from another address near `source`, and
/// ignores the advertisements.
[[nodiscard]] Result<void> send_storm(const Solicitor& solicitor, std::uint64_t per_second,
                                      SolicitorState& state);

}  // namespace culvert::bench::server
