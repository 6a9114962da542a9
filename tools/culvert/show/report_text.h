// Helpers for the reports: JSON whose keys keep their order, and cells of the table for people.
// Pure functions; any thread.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "io/result.h"
#include "tools/culvert/config/parse_value.h"

namespace culvert::program {

using Json = nlohmann::ordered_json;  // keys stay in the order that people read them in

/// A string member without control characters, which a terminal would obey.
[[nodiscard]] inline std::string text(const Json& json, const char* key) {
  return printable(json.at(key).get<std::string>(), 300);
}
/// A number member.
[[nodiscard]] inline std::uint64_t count(const Json& json, const char* key) {
  return json.at(key).get<std::uint64_t>();
}
/// A cell that is filled with blanks to `width`: aligned to the right, or to the left.
[[nodiscard]] inline std::string right(std::string cell, std::size_t width) {
  if (cell.size() < width) cell.insert(0, width - cell.size(), ' ');
  return cell;
}
[[nodiscard]] inline std::string left(std::string cell, std::size_t width) {
  if (cell.size() < width) cell.append(width - cell.size(), ' ');
  return cell;
}

/// "    dropped           13  no_rule                     meaning"
[[nodiscard]] inline std::string counted_row(const std::string& kind, std::uint64_t packets,
                                             const std::string& name, std::string_view meaning) {
  return "    " + left(kind, 8) + right(std::to_string(packets), 13) + "  " + left(name, 28) +
         std::string{meaning} + "\n";
}

/// The table of a report: `device_rows` for each device, `ndp_rows` for each NDP proxy. Fails if
/// the report is an error, or of another version of culvert.
using Rows = std::string (*)(const Json&);
[[nodiscard]] Result<std::string> table_of(std::string_view json, Rows device_rows, Rows ndp_rows);

}  // namespace culvert::program
