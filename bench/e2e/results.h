// The measured values of a run, and their medians. Plain values; any thread.
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
  std::string name;  ///< the unit is its last part: "mbit_per_second"
  double value = 0;
};

/// The result of one turn of one work through one tunnel.
struct Turn {
  std::string tunnel;
  std::string work;
  unsigned round = 0;  ///< from 1
  unsigned turn = 0;   ///< within the round, from 1
  std::vector<Figure> figures;
  CpuUse cpu;
  std::vector<double> samples_us;  ///< latency: round-trip time of each reply, sorted
};

/// All turns of one work through one tunnel.
struct Summary {
  std::string tunnel;
  std::string work;
  std::size_t turns = 0;
  /// Medians of the turns, except p99_us, which is computed from all samples.
  std::vector<Figure> figures;
  CpuUse cpu;  ///< medians; the busiest part is the most frequent one
};

struct Failed {
  std::string tunnel;
  std::string work;  ///< empty: the tunnel could not be set up
  std::string reason;
};

struct Report {
  Plan plan;
  Machine machine;
  std::vector<Turn> turns;
  std::vector<Failed> left_out;  ///< tunnels that this machine does not have
  std::vector<Failed> failed;
};

/// The value of a figure; null if there is no such figure.
[[nodiscard]] const double* find_figure(std::span<const Figure> figures, std::string_view name);

/// The median: the middle value, or the mean of the two middle values. 0 without values.
[[nodiscard]] double median(std::vector<double> values);

/// The value below which `share` (0 to 1) of the values lie. 0 without values.
[[nodiscard]] double percentile(std::vector<double> values, double share);

/// The summaries in the order of the plan, without those that have no turns.
[[nodiscard]] std::vector<Summary> summarize(const Report& report);

/// The ratio of a tunnel's figure to that of tunnel `other`: the median of the ratios of adjacent
/// turns, so that the drift of the machine has little influence. 0 if there is no such pair.
[[nodiscard]] double ratio_to(const Report& report, const Summary& summary, std::string_view other,
                              std::string_view figure);

/// Names that reports and measurements share.
inline constexpr std::string_view kMbit = "mbit_per_second", kRetransmissions = "retransmissions",
                                  kCpuPerPacket = "cpu_ns_per_packet",
                                  kPackets = "packets_per_second", kSent = "sent_per_second",
                                  kNotInOrder = "not_in_order", kP50 = "p50_us", kP99 = "p99_us",
                                  kLost = "lost", kWireBytes = "wire_bytes_per_packet";

/// The main figure of a kind of work. Reports show its ratios.
[[nodiscard]] std::string_view main_figure(Work::Kind kind);

}  // namespace culvert::bench
