// Finds the program `culvert` to measure. Any thread.
#pragma once

#include <string>

#include "io/result.h"

namespace culvert::bench {

/// The path of `culvert`: beside this program, otherwise from PATH. Empty if there is none.
[[nodiscard]] std::string culvert_program();

/// Fails with advice if there is no `culvert`.
[[nodiscard]] Result<void> check_culvert_program();

}  // namespace culvert::bench
