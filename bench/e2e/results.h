// What was measured, and its medians. Plain values; any thread.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bench/e2e/cpu.h"
#include "bench/e2e/machine.h"
#include "bench/e2e/plan.h"

namespace culvert::bench {

struct Figure {
  std::string name;  ///< its unit last: "mbit_per_second"
  double value = 0;
};

/// What one turn of one work through one tunnel gave.
struct Turn {
  std::string tunnel;
  std::string work;
  unsigned round = 0;  ///< from 1
  unsigned turn = 0;   ///< of the round, from 1
  std::vector<Figure> figures;
  CpuUse cpu;
  std::vector<double> samples_us;  ///< of latency: each reply's round-trip time, sorted
};

/// All turns of one work through one tunnel.
struct Summary {
  std::string tunnel;
  std::string work;
  std::size_t turns = 0;
  /// Medians of the turns'; but p99_us, which is that of all samples together.
  std::vector<Figure> figures;
  CpuUse cpu;  ///< medians; the busiest part is the one that was it most often
};

struct Failed {
  std::string tunnel;
  std::string work;  ///< empty: the tunnel could not be made
  std::string reason;
};

struct Report {
  Plan plan;
  Machine machine;
  std::vector<Turn> turns;
  std::vector<Failed> left_out;  ///< peers that are not on this machine
  std::vector<Failed> failed;
};

/// The value of a figure; null: there is none.
[[nodiscard]] const double* find_figure(std::span<const Figure> figures, std::string_view name);

/// The middle one, or the mean of the two in the middle; 0 of none.
[[nodiscard]] double median(std::vector<double> values);

/// The value below which `share` (0 to 1) of the values lie; 0 of none.
[[nodiscard]] double percentile(std::vector<double> values, double share);

/// In the order of the plan; what has no turns is not there.
[[nodiscard]] std::vector<Summary> summarize(const Report& report);

/// Where a tunnel stands beside another in a figure: the median of the ratios of turns that
/// followed each other, so that a machine whose speed drifts does not decide. 0: there is no such
/// pair.
[[nodiscard]] double ratio_to(const Report& report, const Summary& summary, std::string_view other,
                              std::string_view figure);

/// Names that reports and measurements share.
inline constexpr std::string_view kMbit = "mbit_per_second", kRetransmissions = "retransmissions",
                                  kCpuPerPacket = "cpu_ns_per_packet",
                                  kPackets = "packets_per_second", kSent = "sent_per_second",
                                  kNotInOrder = "not_in_order", kP50 = "p50_us", kP99 = "p99_us",
                                  kLost = "lost", kWireBytes = "wire_bytes_per_packet";

/// The figure that decides: its ratios are shown.
[[nodiscard]] std::string_view main_figure(Work::Kind kind);

}  // namespace culvert::bench
