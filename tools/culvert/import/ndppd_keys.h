// The table of ndppd.conf's keys, each with a function that maps it to NdpConfig. Pure functions;
// any thread.
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

/// The result of mapping one key.
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

/// The part of the file in which a key is allowed.
enum class NdppdLevel : std::uint8_t { top, proxy, rule };

/// The configuration that a key changes. In 1.0 the times of probes are at the top, for all
/// sections.
struct NdppdTarget {
  NdppdDialect dialect;
  NdpProbe& probe;
  NdpConfig* section;  ///< null at the top
  NdpRule* rule;       ///< null above a rule
  bool* wires;         ///< 0.2: `autowire` of the section, for all its rules; null at the top
};

/// A key other than `proxy` and `rule`, which have blocks.
struct NdppdKey {
  std::string_view name;
  NdppdLevel level;
  NdppdDialect dialect;
  Outcome (*map)(const NdppdTarget& into, const std::string& value);
};

/// All keys of both dialects.
[[nodiscard]] std::span<const NdppdKey> ndppd_keys();

}  // namespace culvert::program
