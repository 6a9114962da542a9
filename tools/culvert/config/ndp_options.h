// The words of `[ndp.IFACE]`: one table with each word's name, what it takes, and what it sets in
// an NdpConfig, whose members have the same names. Any thread.
#pragma once

#include <string>
#include <string_view>

#include "engine/ndp/ndp_config.h"
#include "tools/culvert/config/toml_location.h"

namespace culvert::program {

/// "static", "auto", "probe"
[[nodiscard]] std::string_view answer_word(NdpAnswer answer);

/// One section: its keys, `probe`'s, and each `[[ndp.IFACE.rule]]`. Errors name the line, the key,
/// its value, what is wrong and what to do.
[[nodiscard]] Result<NdpConfig> read_ndp(const toml::key& interface, const toml::node& section,
                                         const TomlLocation& place);

/// The section that read_ndp() makes the same NdpConfig of: the keys that are not as they are by
/// default, and the rules.
[[nodiscard]] std::string ndp_toml(const NdpConfig& config);

}  // namespace culvert::program
