// One NDP proxy in the report: as JSON, and that as rows for people. Any thread.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "engine/ndp/ndp_proxy.h"

namespace culvert::program {

using Json = nlohmann::ordered_json;  // keys stay in the order that people read them in

/// What `show` has of one proxy.
struct NdpReport {
  NdpStatus status;
  std::string waits_because;  ///< empty: it answers
};

/// `ignored` has the reasons that are not 0.
[[nodiscard]] Json ndp_json(const NdpReport& report);

/// Throws what the library does if a field is missing, as report_table() expects.
[[nodiscard]] std::string ndp_rows(const Json& ndp);

}  // namespace culvert::program
