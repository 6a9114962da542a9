// The report of one NDP proxy: as JSON, and that JSON as rows for people. Pure functions; any
// thread.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "engine/ndp/ndp_proxy.h"

namespace culvert::program {

using Json = nlohmann::ordered_json;  // keys stay in the order that people read them in

/// The state of one proxy.
struct NdpReport {
  NdpStatus status;
  std::string waits_because;  ///< why it cannot answer yet; empty: it answers
};

/// The proxy as JSON. `ignored` has only the reasons whose count is not 0.
[[nodiscard]] Json ndp_json(const NdpReport& report);

/// The rows of the table. Throws Json::exception if a field is missing; report_table() catches it.
[[nodiscard]] std::string ndp_rows(const Json& ndp);

}  // namespace culvert::program
