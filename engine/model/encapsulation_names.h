// Names of encapsulations for messages: those that carry an IP version, those that have an option.
// All come from the list of encapsulations, in its order. Pure functions; any thread.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace culvert {

/// The names of all encapsulations.
[[nodiscard]] std::vector<std::string_view> encapsulation_names();

/// The names of those that carry this protocol type (an EtherType).
[[nodiscard]] std::vector<std::string_view> encapsulations_that_carry(std::uint16_t protocol_type);

/// The names of those that have an option of this name.
[[nodiscard]] std::vector<std::string_view> encapsulations_with_option(std::string_view option);

/// "IPv4" or "IPv6". `protocol_type`: one of the two that proto/encapsulation.h names.
[[nodiscard]] std::string_view ip_version_name(std::uint16_t protocol_type);

}  // namespace culvert
