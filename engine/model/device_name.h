// What Linux takes as the name of a network interface. Any thread.
#pragma once

#include <string>
#include <string_view>

#include "io/result.h"

namespace culvert {

/// Refuses what no interface can be called. `word`: what the name is for, in the error's object
/// ("device 'a b'").
[[nodiscard]] Result<void> check_interface_name(std::string_view word, const std::string& name);

}  // namespace culvert
