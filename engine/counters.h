// Packet counters. Each worker has one set per tunnel, and one for packets that belong to no
// tunnel. Only the worker's thread writes a set; any thread reads it. Units: a super-packet counts
// as the packets that it stands for. Bytes are those of inner packets.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "engine/drop_reason.h"
#include "io/cache_line.h"

namespace culvert {

/// A counter with one writer thread, so it needs neither a lock nor an atomic read-modify-write.
/// Relaxed: it orders no other access.
class Counter {
 public:
  void add(std::uint64_t count) noexcept {
    value_.store(value_.load(std::memory_order_relaxed) + count, std::memory_order_relaxed);
  }
  /// Only while its writer does not run. Does not write if the value is 0 already, so that an
  /// untouched page stays untouched.
  void clear() noexcept {
    if (value() != 0) value_.store(0, std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t value() const noexcept {
    return value_.load(std::memory_order_relaxed);
  }

 private:
  std::atomic<std::uint64_t> value_{0};
};

/// The counters that every forwarded packet changes.
struct FrequentCounters {
  Counter out_received, out_packets, out_bytes;  ///< read from TUN; sent
  Counter in_received, in_packets, in_bytes;     ///< received by the socket; written to TUN
};

/// The other counters. Behind them in memory are the drops, one counter per DropReason.
enum class RareCounter : std::uint8_t {
  errors_received,  ///< ICMPv4 errors about our outer packets
  errors_relayed,
  too_big_sent,  ///< ICMPv6 Packet Too Big and ICMPv4 fragmentation needed
  too_big_suppressed,
  unreachable_sent,  ///< ICMP destination unreachable
  unreachable_suppressed,
  ecn_anomalies,  ///< RFC 6040 4.2: forwarded, but counted
  sequence_restarts,
  ttl_exceeded,        ///< of errors_received: the outer TTL was too small for the path
  pmtu_below_minimum,  ///< of errors_received: they report less than Config::min_pmtu
  count_,              ///< not a counter: the number of counters
};
inline constexpr std::size_t kRareCounterCount =
    static_cast<std::size_t>(RareCounter::count_) + kDropReasonCount;

/// The sum of a set over all workers, as plain numbers.
struct Totals {
  std::uint64_t out_received = 0, out_packets = 0, out_bytes = 0;
  std::uint64_t in_received = 0, in_packets = 0, in_bytes = 0;
  std::uint64_t errors_received = 0, errors_relayed = 0;
  std::uint64_t too_big_sent = 0, too_big_suppressed = 0;
  std::uint64_t unreachable_sent = 0, unreachable_suppressed = 0;
  std::uint64_t ecn_anomalies = 0;
  std::uint64_t sequence_restarts = 0;
  std::uint64_t ttl_exceeded = 0;
  std::uint64_t pmtu_below_minimum = 0;
  std::array<std::uint64_t, kDropReasonCount> drops{};

  Totals& operator+=(const Totals& totals) noexcept;
  [[nodiscard]] std::uint64_t dropped(DropReason reason) const noexcept {
    return drops[static_cast<std::size_t>(reason)];
  }
  [[nodiscard]] std::uint64_t dropped(Direction direction) const noexcept;
  /// Received - forwarded - dropped: the packets that a round is working on. 0 after stop.
  [[nodiscard]] std::uint64_t held(Direction direction) const noexcept;
};

/// The lists by which counters are read, added, cleared and shown. Both have every counter.
struct FrequentCounterFacts {
  Counter FrequentCounters::*counter;
  std::uint64_t Totals::*total;
};
inline constexpr std::array kFrequentCounters{
    FrequentCounterFacts{&FrequentCounters::out_received, &Totals::out_received},
    FrequentCounterFacts{&FrequentCounters::out_packets, &Totals::out_packets},
    FrequentCounterFacts{&FrequentCounters::out_bytes, &Totals::out_bytes},
    FrequentCounterFacts{&FrequentCounters::in_received, &Totals::in_received},
    FrequentCounterFacts{&FrequentCounters::in_packets, &Totals::in_packets},
    FrequentCounterFacts{&FrequentCounters::in_bytes, &Totals::in_bytes}};
static_assert(sizeof(FrequentCounters) == kFrequentCounters.size() * sizeof(Counter));

struct RareCounterFacts {
  RareCounter counter;
  std::uint64_t Totals::*total;
  std::string_view name;  ///< as in `show --json`
  std::string_view meaning;
};
inline constexpr std::array kRareCounters{
    RareCounterFacts{RareCounter::errors_received, &Totals::errors_received, "errors_received",
                     "ICMPv4 errors about outer packets"},
    RareCounterFacts{RareCounter::errors_relayed, &Totals::errors_relayed, "errors_relayed",
                     "of these, relayed to the inner sender"},
    RareCounterFacts{RareCounter::too_big_sent, &Totals::too_big_sent, "too_big_sent",
                     "ICMP errors sent: Packet Too Big, fragmentation needed"},
    RareCounterFacts{RareCounter::too_big_suppressed, &Totals::too_big_suppressed,
                     "too_big_suppressed", "such errors not sent because of the rate limit"},
    RareCounterFacts{RareCounter::unreachable_sent, &Totals::unreachable_sent, "unreachable_sent",
                     "ICMP errors sent: destination unreachable"},
    RareCounterFacts{RareCounter::unreachable_suppressed, &Totals::unreachable_suppressed,
                     "unreachable_suppressed", "such errors not sent because of the rate limit"},
    RareCounterFacts{RareCounter::ecn_anomalies, &Totals::ecn_anomalies, "ecn_anomalies",
                     "packets whose ECN fields contradict each other (RFC 6040 4.2), forwarded"},
    RareCounterFacts{
        RareCounter::sequence_restarts, &Totals::sequence_restarts, "sequence_restarts",
        "times the remote endpoint's sequence numbers began anew: 8 old ones in order"},
    RareCounterFacts{RareCounter::ttl_exceeded, &Totals::ttl_exceeded, "ttl_exceeded",
                     "outer packets whose TTL ended on the path: write ttl 64, not inherit"},
    RareCounterFacts{RareCounter::pmtu_below_minimum, &Totals::pmtu_below_minimum,
                     "pmtu_below_minimum",
                     "ICMPv4 errors that report a path MTU below min_pmtu, which is used instead"}};
static_assert(kRareCounters.size() == static_cast<std::size_t>(RareCounter::count_));

/// Reads one set. `rare`: the first of kRareCounterCount counters that lie `stride` apart.
[[nodiscard]] Totals read_counters(const FrequentCounters& frequent, const Counter* rare,
                                   std::size_t stride) noexcept;

/// A view of one set of counters, through which its worker counts.
class CounterSet {
 public:
  CounterSet(FrequentCounters& frequent, Counter* rare, std::size_t stride) noexcept
      : frequent_(&frequent), rare_(rare), stride_(stride) {}

  FrequentCounters* operator->() const noexcept { return frequent_; }
  void add(RareCounter counter, std::uint64_t count = 1) const noexcept {
    rare_[static_cast<std::size_t>(counter) * stride_].add(count);
  }
  void drop(DropReason reason, std::uint64_t packets) const noexcept {
    const auto counter =
        static_cast<std::size_t>(RareCounter::count_) + static_cast<std::size_t>(reason);
    rare_[counter * stride_].add(packets);
  }
  void clear() const noexcept;

 private:
  FrequentCounters* frequent_;
  Counter* rare_;
  std::size_t stride_;
};

/// The set of packets that belong to no tunnel.
class alignas(io::kCacheLineBytes) DeviceCounters {
 public:
  [[nodiscard]] CounterSet counters() noexcept { return {frequent_, rare_.data(), 1}; }
  [[nodiscard]] Totals totals() const noexcept { return read_counters(frequent_, rare_.data(), 1); }

 private:
  FrequentCounters frequent_;
  std::array<Counter, kRareCounterCount> rare_;
};

}  // namespace culvert
