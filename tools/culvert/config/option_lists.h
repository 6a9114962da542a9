// The two parts of the table of words. Immutable; any thread.
#pragma once

#include <span>

#include "tools/culvert/config/option_table.h"

namespace culvert::program {

[[nodiscard]] std::span<const Option> tunnel_words();
[[nodiscard]] std::span<const Option> device_words();

}  // namespace culvert::program
