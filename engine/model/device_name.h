// Validation of network interface names by the rules of Linux. Any thread.
#pragma once

#include <string>
#include <string_view>

#include "io/result.h"

namespace culvert {

/// Fails if no Linux interface can have this name. `word`: the option that gives the name, for the
/// error's object ("device 'a b'").
[[nodiscard]] Result<void> check_interface_name(std::string_view word, const std::string& name);

}  // namespace culvert
