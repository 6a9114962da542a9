// Numbers and tables as people read them. Any thread.
#pragma once

#include <string>
#include <vector>

namespace culvert::bench {

/// "4,478", "0.35"
[[nodiscard]] std::string with_commas(double value, int decimals = 0);

/// The cells of a line of a table.
using Row = std::vector<std::string>;

/// A line for each row, all of which have as many cells as the first: the first column to the left,
/// the others to the right.
[[nodiscard]] std::string align(const std::vector<Row>& table);

}  // namespace culvert::bench
