// Soak: minutes of full load in both directions through culvert. It checks that every packet is
// counted, that memory stays constant, and that every byte is correct. One thread.
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
  std::uint64_t taken = 0;                  ///< received packets, by culvert's counters
  std::uint64_t forwarded = 0;
  std::uint64_t dropped = 0;
  std::uint64_t receive_queue_full = 0;  ///< lost in a full receive buffer
  std::string reasons;                   ///< drop reasons: {"queue_full":12}
};

struct Soak {
  std::string tunnel;
  unsigned workers = 1;
  std::chrono::seconds duration{};
  double tcp_mbit = 0;
  std::uint64_t retransmissions = 0;
  bool is_equal = false;  ///< all received TCP bytes equal the sent bytes
  double udp_packets_per_second = 0;
  unsigned disturbances = 0;
  std::array<SoakEnd, kEnds> ends;

  /// Packets in = out + dropped, memory within its bounds, every byte correct.
  [[nodiscard]] bool has_passed() const;
};

/// Adds up the counters of one device of `culvert show --json`.
void count_packets(const std::string& show_json, SoakEnd& end);

/// Runs verified TCP in one direction, as fast as possible, and UDP in the other. `disturb`: every
/// three seconds the wire goes down for a moment or gets another MTU.
[[nodiscard]] Result<Soak> soak(const TunnelPlan& plan, std::chrono::seconds duration,
                                bool disturb);

[[nodiscard]] std::string to_text(const Soak& soak);

}  // namespace culvert::bench
