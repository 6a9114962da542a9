// One NDP proxy in the report: as JSON, and that as rows for people. Any thread.
#pragma once

#include <string>

#include "engine/control/ndp.h"
#include "engine/control/report_text.h"

namespace culvert::control {

/// `ignored` has the reasons that are not 0.
[[nodiscard]] Json ndp_json(const NdpReport& report);

/// Throws what the library does if a field is missing, as report_table() expects.
[[nodiscard]] std::string ndp_rows(const Json& ndp);

}  // namespace culvert::control
