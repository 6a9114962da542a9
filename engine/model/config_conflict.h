// Conflicts between tunnels of one device. Two tunnels must not share a name, a prefix without a
// rule of precedence, or the outer addresses and key by which received packets are assigned to a
// tunnel. They must have the same link type. Pure functions; any thread.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "engine/config.h"

namespace culvert {

/// Two tunnels that cannot belong to one device, by their indices in Config::tunnels. Equal
/// indices: one tunnel that gives a prefix twice, or lacks an option that it needs beside other
/// tunnels.
struct ConfigConflict {
  std::size_t first = 0, second = 0;  ///< first <= second
  std::string_view word;              ///< the option of the second tunnel that must change
  std::string value;                  ///< value of that option; empty: the option is missing
  std::string problem;  ///< predicate of the error sentence: "is the name of another tunnel"
  std::string advice;   ///< what the user should do: the end of the sentence
};

/// Returns the link type of an encapsulation: link_type(), or that of another list.
using LinkTypeOf = proto::LinkType (*)(const Parameters& mode) noexcept;

/// Returns the first conflict among the tunnels of a device, or nothing. Takes less than a second
/// for 10,000 tunnels.
[[nodiscard]] std::optional<ConfigConflict> find_conflict(std::span<const TunnelConfig> tunnels,
                                                          LinkTypeOf link_type_of = link_type);

}  // namespace culvert
