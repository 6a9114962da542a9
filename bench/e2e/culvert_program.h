// The program `culvert` that is measured. Any thread.
#pragma once

#include <string>

#include "io/result.h"

namespace culvert::bench {

/// Its path: beside this program, else where PATH has it; empty: nowhere.
[[nodiscard]] std::string culvert_program();

/// Fails with a sentence if there is none.
[[nodiscard]] Result<void> check_culvert_program();

}  // namespace culvert::bench
