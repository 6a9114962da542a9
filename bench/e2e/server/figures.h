// The figures of `culvert-bench --server` and their targets. Immutable; any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "io/result.h"

namespace culvert::bench::server {

struct Target {
  enum class Bound : std::uint8_t { none, at_least, at_most };
  Bound bound = Bound::none;
  double value = 0;

  [[nodiscard]] bool is_met_by(double measured) const noexcept {
    return bound == Bound::none ||
           (bound == Bound::at_least ? measured >= value : measured <= value);
  }
};

struct FigureKind {
  std::string_view name;   ///< in JSON and CSV, unit last: "udp_one_packets_per_second"
  std::string_view title;  ///< in the table
  int decimals = 0;
  Target target{};
  /// For a ratio: the figures whose turns it compares; otherwise empty.
  std::string_view over{};
  std::string_view under{};
  bool is_sum = false;  ///< the sum of all samples (every loss counts); otherwise their median
};

class Session;

struct WorkKind {
  std::string_view name;  ///< for --work
  std::string_view title;
  std::span<const FigureKind> figures;
  /// Sets up its rig, measures, and removes the rig.
  Result<void> (*measure)(Session& session);
};

/// All works, in the order of measuring.
[[nodiscard]] std::span<const WorkKind> all_works();

}  // namespace culvert::bench::server
