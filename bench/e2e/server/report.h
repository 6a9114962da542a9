// The report of `culvert-bench --server`, and its formats. Plain values; any thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bench/e2e/machine.h"
#include "bench/e2e/server/plan.h"

namespace culvert::bench::server {

/// One value of one figure.
struct Sample {
  std::string work;
  std::string figure;
  unsigned round = 0;  ///< from 1
  unsigned turn = 0;   ///< within the round, from 1; turns with one number are adjacent
  double value = 0;
};

struct Missing {
  std::string work;
  std::string what;  ///< "ndppd"; empty: the rest of the work
  std::string reason;
};

struct Report {
  Plan plan;
  Machine machine;
  std::vector<Sample> samples;
  std::vector<Missing> left_out;  ///< parts that this machine cannot measure
  std::vector<Missing> failed;
};

/// The median or the sum of a figure's samples. For a ratio: the median of the ratios of adjacent
/// turns. Empty without samples.
[[nodiscard]] std::optional<double> value_of(const Report& report, const WorkKind& work,
                                             const FigureKind& figure);

/// The figures of a work with their targets: "ndp: ratio_64 3.12 (at least 3)".
[[nodiscard]] std::string one_line(const Report& report, const WorkKind& work);

/// A table per work: each figure with its target.
[[nodiscard]] std::string to_table(const Report& report);

/// JSON: settings, every sample, every figure with its target. Ends with a newline.
[[nodiscard]] std::string to_json(const Report& report);

/// CSV: a line per sample, then per figure: round,turn,work,figure,value,asked,met.
[[nodiscard]] std::string to_csv(const Report& report);

}  // namespace culvert::bench::server
