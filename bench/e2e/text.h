// Formats numbers and tables for people. Any thread.
#pragma once

#include <string>
#include <vector>

namespace culvert::bench {

/// "4,478", "0.35"
[[nodiscard]] std::string with_commas(double value, int decimals = 0);

/// The cells of one row of a table.
using Row = std::vector<std::string>;

/// One line per row. All rows have as many cells as the first. The first column is left-aligned,
/// the others are right-aligned.
[[nodiscard]] std::string align(const std::vector<Row>& table);

}  // namespace culvert::bench
