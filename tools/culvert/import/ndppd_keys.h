// The keys of ndppd.conf, and what each of them becomes: one table. Pure functions; any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "engine/ndp/ndp_config.h"
#include "tools/culvert/import/ndppd_file.h"
#include "tools/culvert/import/ndppd_import.h"

namespace culvert::program {

/// What has become of one key.
struct Outcome {
  ImportFate fate = ImportFate::mapped;
  std::string text;
};
[[nodiscard]] inline Outcome mapped(std::string text) {
  return {ImportFate::mapped, std::move(text)};
}
[[nodiscard]] inline Outcome differs(std::string text) {
  return {ImportFate::mapped_with_difference, std::move(text)};
}
[[nodiscard]] inline Outcome unsupported(std::string text) {
  return {ImportFate::unsupported, std::move(text)};
}
[[nodiscard]] inline Outcome ignored(std::string text) {
  return {ImportFate::ignored_by_original, std::move(text)};
}

enum class NdppdLevel : std::uint8_t { top, proxy, rule };

/// What a key is written into: 1.0 has the probes' times at the top, for all sections.
struct NdppdTarget {
  NdppdDialect dialect;
  NdpProbe& probe;
  NdpConfig* section;  ///< null at the top
  NdpRule* rule;       ///< null above a rule
};

/// All but `proxy` and `rule`, which have blocks.
struct NdppdKey {
  std::string_view name;
  NdppdLevel level;
  NdppdDialect dialect;
  Outcome (*take)(const NdppdTarget& into, const std::string& value);
};

[[nodiscard]] std::span<const NdppdKey> ndppd_keys();

}  // namespace culvert::program
