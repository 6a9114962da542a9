// Minutes of full load both ways through culvert: does every packet have its counter, is memory
// flat, is every byte right? One thread.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "bench/e2e/plan.h"
#include "bench/e2e/rig.h"

namespace culvert::bench {

struct SoakEnd {
  std::uint64_t resident_at_start_kib = 0;
  std::vector<std::uint64_t> resident_kib;  ///< under load
  std::uint64_t taken = 0;                  ///< packets, by culvert's counters
  std::uint64_t forwarded = 0;
  std::uint64_t dropped = 0;
  std::uint64_t receive_queue_full = 0;  ///< lost before culvert could take them
  std::string reasons;                   ///< of the drops: {"queue_full":12}
};

struct Soak {
  std::string tunnel;
  unsigned workers = 1;
  std::chrono::seconds duration{};
  double tcp_mbit = 0;
  std::uint64_t retransmissions = 0;
  bool is_equal = false;  ///< every byte of TCP is what was sent
  double udp_packets_per_second = 0;
  unsigned disturbances = 0;
  std::array<SoakEnd, kEnds> ends;

  /// Packets in = out + dropped, memory within its bounds, every byte right.
  [[nodiscard]] bool has_passed() const;
};

/// Adds up the counters of one device of `culvert show --json`.
void count_packets(const std::string& show_json, SoakEnd& end);

/// TCP as fast as it goes one way, verified, and UDP the other. `disturb`: meanwhile the wire goes
/// down for a moment, or has another MTU, every few seconds.
[[nodiscard]] Result<Soak> soak(const TunnelPlan& plan, std::chrono::seconds duration,
                                bool disturb);

[[nodiscard]] std::string to_text(const Soak& soak);

}  // namespace culvert::bench
