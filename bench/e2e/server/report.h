// What was measured of a server, and how it is shown. Plain values; any thread.
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
  unsigned turn = 0;   ///< of the round, from 1; turns of one number followed each other
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
  std::vector<Missing> left_out;  ///< what is not on this machine
  std::vector<Missing> failed;
};

/// The median of a figure's samples, or their sum; of a ratio that of the ratios of turns that
/// followed each other; nothing: there are none.
[[nodiscard]] std::optional<double> value_of(const Report& report, const WorkKind& work,
                                             const FigureKind& figure);

/// What was asked for in a work, and what came of it: "ndp: ratio_64 3.12 (at least 3)".
[[nodiscard]] std::string one_line(const Report& report, const WorkKind& work);

/// A table for each work: each figure beside what is asked.
[[nodiscard]] std::string to_table(const Report& report);

/// All of it: settings, every sample, every figure with what is asked. Ends with a newline.
[[nodiscard]] std::string to_json(const Report& report);

/// A line for each sample, then for each figure: round,turn,work,figure,value,asked,met.
[[nodiscard]] std::string to_csv(const Report& report);

}  // namespace culvert::bench::server
