// What an ndppd.conf says, as [ndp.IFACE] sections, with a report of each of its keys: nobody
// should have to find out later what was lost. Pure functions; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "io/result.h"

namespace culvert::program {

enum class ImportFate : std::uint8_t {
  mapped,
  mapped_with_difference,
  unsupported,
  ignored_by_original,  ///< ndppd reads the file as if it were not there
};
/// "mapped-with-difference"
[[nodiscard]] std::string_view fate_name(ImportFate fate);

struct ImportedKey {
  unsigned line = 0;
  std::string key, value;  ///< as written; the value may be empty
  ImportFate fate = ImportFate::mapped;
  std::string text;  ///< what it has become, and what differs
};

struct Imported {
  std::string toml;               ///< empty if nothing of the file could be taken over
  std::string summary;            ///< which ndppd's file it was taken for, and why
  std::vector<ImportedKey> keys;  ///< all of the file, in its order

  [[nodiscard]] bool is_whole() const;  ///< nothing is unsupported
};

/// Reads an ndppd.conf of 0.2 or 1.0-devel (ndppd_file.h). Fails where the file makes no sense to
/// ndppd either; errors name the line and say what to do. `toml` is read by parse_config().
[[nodiscard]] Result<Imported> import_ndppd(std::string_view text, std::string_view file);

/// "ndppd.conf:12: ttl 30000: mapped: probe.alive_ttl = 30000"
[[nodiscard]] std::string report_line(const ImportedKey& key, std::string_view file);

}  // namespace culvert::program
