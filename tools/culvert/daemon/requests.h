// The requests on the control socket and their answers. Each is one line of JSON. The functions
// keep no state: any thread, if the handlers allow it.
//
//     {"request":"show"}          {"devices":[…],"ndp":[…]}, see report.h
//     {"request":"show","tunnel":"T"}
//                                 the same with only the tunnels T, without "ndp"
//     {"request":"flows","device":"D","limit":N}
//                                 {"devices":[…]}, see flow_report.h; without "device": all devices
//     {"request":"devices"}       {"names":["D",…]}
//     {"request":"claims"}        {"claims":[…]}, see tunnel_claims.h
//     {"request":"check_receivers"}
//                                 {"done":""}: asks the other culverts of the network namespace for
//                                 their claims, soon
//     {"request":"reload"}        {"done":"1 tunnel added"}
//     {"request":"tunnel","action":"add","device":"D","tunnel":"T","words":["mode","sit",…]}
//                                 {"done":"tunnel T of D: added"}
//
// A refused request gets {"error":"sentence","code":ERRNO}. Code 0 means that the words of the
// request are wrong.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/engine.h"
#include "tools/culvert/config/tunnel_command.h"
#include "tools/culvert/daemon/managed_ndp.h"
#include "tools/culvert/daemon/tunnel_claims.h"
#include "tools/culvert/show/flow_report.h"
#include "tools/culvert/show/report.h"

namespace culvert::program {

/// Functions that carry out the requests.
struct RequestHandlers {
  std::function<std::vector<DeviceReport>()> devices;
  std::function<std::vector<TunnelClaim>()> claims = [] { return std::vector<TunnelClaim>{}; };
  std::function<void()> check_receivers = [] {};
  std::function<Result<std::string>()> reload;  ///< returns "1 tunnel added" or the like
  std::function<Result<void>(const TunnelCommand&)> change_tunnel;
  std::function<std::vector<NdpReport>()> ndp = [] { return std::vector<NdpReport>{}; };
  /// At most `limit` flows of the device; of each device if the name is empty.
  std::function<std::vector<DeviceFlows>(std::string_view device, std::size_t limit)> flows =
      [](std::string_view, std::size_t) { return std::vector<DeviceFlows>{}; };
};

/// Carries out one request and returns its answer, both without the newline.
[[nodiscard]] std::string answer_request(std::string_view line, const RequestHandlers& handlers);

/// A request without arguments, or "show" of one tunnel. `tunnel`: empty: all tunnels.
[[nodiscard]] std::string request_line(std::string_view request, std::string_view tunnel = {});
[[nodiscard]] std::string request_line(const TunnelCommand& command);
/// The request "flows". `device`: empty: all devices.
[[nodiscard]] std::string flows_request(std::string_view device, std::size_t limit);

/// The text of "done" in an answer. Fails with the error of the answer, or with EPROTO if there is
/// neither.
[[nodiscard]] Result<std::string> read_done(std::string_view answer);
/// The names in an answer to "devices".
[[nodiscard]] std::vector<std::string> read_names(std::string_view answer);

}  // namespace culvert::program
