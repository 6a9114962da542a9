// Converts an ndppd.conf to [ndp.IFACE] sections, with a report of each key: the user shall see at
// once what is different or unsupported. Pure functions; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "io/result.h"
#include "tools/culvert/import/ndppd_file.h"

namespace culvert::program {

/// The result for one key. If several apply, the greatest one is reported.
enum class ImportFate : std::uint8_t {
  mapped,
  mapped_with_difference,
  unsupported,
  ignored_by_original,  ///< ndppd does not use the key either
};
/// The name in the report, like "mapped-with-difference".
[[nodiscard]] std::string_view fate_name(ImportFate fate);

/// One line of the report.
struct ImportedKey {
  unsigned line = 0;
  std::string key, value;  ///< as written; the value may be empty
  ImportFate fate = ImportFate::mapped;
  std::string text;  ///< the TOML key and value, and the difference
};

/// The result of an import.
struct Imported {
  std::string toml;               ///< empty: no rule of the file is supported
  std::string summary;            ///< the dialect of the file, and the reason for it
  std::vector<ImportedKey> keys;  ///< every key, in the order of the file

  [[nodiscard]] bool is_whole() const;  ///< no key is unsupported
};

/// Converts an ndppd.conf of 0.2 or 1.0-devel. `dialect`: as read_ndppd() takes it. Fails if the
/// file cannot be parsed, or has no `proxy`; the error (code 0) names the line, what is wrong and
/// what to do. A wrong section or rule is left out and reported. parse_config() reads the `toml`.
[[nodiscard]] Result<Imported> import_ndppd(std::string_view text, std::string_view file,
                                            std::optional<NdppdDialect> dialect = std::nullopt);

/// A line of the report: "ndppd.conf:12: ttl 30000: mapped: probe.alive_ttl = 30000".
[[nodiscard]] std::string report_line(const ImportedKey& key, std::string_view file);

}  // namespace culvert::program
