// The two parts of the option table. Immutable; any thread.
#pragma once

#include <span>

#include "tools/culvert/config/option_table.h"

namespace culvert::program {

/// The words of a tunnel, in the order of --help.
[[nodiscard]] std::span<const Option> tunnel_words();
/// The words and options of a device, in the order of --help.
[[nodiscard]] std::span<const Option> device_words();

}  // namespace culvert::program
