// The keys of `[ndp.IFACE]`: one table with each key's name, its type, and its member of NdpConfig,
// which has the same name. Any thread.
#pragma once

#include <string>
#include <string_view>

#include "engine/ndp/ndp_config.h"
#include "tools/culvert/config/toml_location.h"

namespace culvert::program {

/// The word for an answer: "static", "auto" or "probe".
[[nodiscard]] std::string_view answer_word(NdpAnswer answer);

/// The word for a source: "link-local", "global" or "target".
[[nodiscard]] std::string_view source_word(NdpSource source);

/// Reads one section with its `probe` and `rule` tables. An error (code 0) names the line, the key,
/// its value, what is wrong and what to do.
[[nodiscard]] Result<NdpConfig> read_ndp(const toml::key& interface, const toml::node& section,
                                         const TomlLocation& location);

/// The section as TOML: the keys whose values are not the default, and all rules. read_ndp() reads
/// the same NdpConfig from it.
[[nodiscard]] std::string ndp_toml(const NdpConfig& config);

}  // namespace culvert::program
