// Counters: one set for each worker and tunnel (and one for what belongs to no tunnel), written by
// that worker's thread alone, read by any. Units: a super-packet counts as the packets that it
// stands for, and bytes are those of inner packets.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "engine/verdict.h"
#include "io/cache_line.h"

namespace culvert {

/// A counter with one writer: no read-modify-write, no lock. Relaxed: it orders nothing else.
class Counter {
 public:
  void add(std::uint64_t count) noexcept {
    value_.store(value_.load(std::memory_order_relaxed) + count, std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t value() const noexcept {
    return value_.load(std::memory_order_relaxed);
  }

 private:
  std::atomic<std::uint64_t> value_{0};
};

/// What one worker counts of one tunnel.
struct alignas(io::kCacheLineBytes) WorkerCounters {
  Counter out_received, out_packets, out_bytes;  ///< taken from TUN; sent
  Counter in_received, in_packets, in_bytes;     ///< taken from the socket; written to TUN
  Counter errors_received, errors_relayed;       ///< ICMPv4 errors about our outer packets
  Counter too_big_sent,
      too_big_suppressed;  ///< Packet Too Big and fragmentation needed; rate limited
  Counter ecn_anomalies;   ///< RFC 6040 4.2: forwarded, but counted
  std::array<Counter, kDropReasonCount> drops;

  void drop(DropReason reason, std::uint64_t packets) noexcept {
    drops[static_cast<std::size_t>(reason)].add(packets);
  }
};

/// The sum over workers, as plain numbers.
struct Totals {
  std::uint64_t out_received = 0, out_packets = 0, out_bytes = 0;
  std::uint64_t in_received = 0, in_packets = 0, in_bytes = 0;
  std::uint64_t errors_received = 0, errors_relayed = 0;
  std::uint64_t too_big_sent = 0, too_big_suppressed = 0;
  std::uint64_t ecn_anomalies = 0;
  std::array<std::uint64_t, kDropReasonCount> drops{};

  Totals& operator+=(const WorkerCounters& counters) noexcept;
  Totals& operator+=(const Totals& totals) noexcept;
  [[nodiscard]] std::uint64_t dropped(Direction direction) const noexcept;
  /// in - out - dropped: what is being worked on at this moment. 0 after stop.
  [[nodiscard]] std::uint64_t held(Direction direction) const noexcept;
};

}  // namespace culvert
