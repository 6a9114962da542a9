// Formats a report: table, JSON, CSV. Any thread.
#pragma once

#include <span>
#include <string>

#include "bench/e2e/results.h"

namespace culvert::bench {

/// A table per work: figures, ratios to socat, VXLAN and single, and the busiest thread.
[[nodiscard]] std::string to_table(const Report& report);

/// JSON: settings, every turn, medians with ratios. Ends with a newline.
[[nodiscard]] std::string to_json(const Report& report);

/// CSV: a line per figure of each turn, then of each median:
/// round,turn,tunnel,work,figure,value.
[[nodiscard]] std::string to_csv(const Report& report);

/// The deciding figure of each tunnel in these turns, which are of one work:
/// "tcp1: culvert-sit 4,478 Mbit/s, socat 1,314 Mbit/s".
[[nodiscard]] std::string one_line(std::span<const Turn> turns, const Work& work);

}  // namespace culvert::bench
