// What the control socket is asked, and how it answers: one line of JSON each way. Any thread; what
// the handlers do is theirs.
//
//     {"request":"show"}                       {"devices":[…]}, report.h; also "tunnel":"NAME"
//     {"request":"flows","device":"D","limit":N}
//                                              {"devices":[…]}, flow_report.h; of all devices
//                                              without "device"
//     {"request":"devices"}                    {"names":["NAME",…]}
//     {"request":"reload"}                     {"done":"1 tunnel added"}
//     {"request":"tunnel","action":"add","device":"D","tunnel":"T","words":["mode","sit",…]}
//                                              {"done":"added"}
//
// What is refused is answered with {"error":"sentence","code":ERRNO}, code 0 where the words alone
// make no sense.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/engine.h"
#include "tools/culvert/config/tunnel_command.h"
#include "tools/culvert/daemon/managed_ndp.h"
#include "tools/culvert/show/flow_report.h"

namespace culvert::program {

struct RequestHandlers {
  std::function<std::vector<EngineStatus>()> statuses;
  std::function<Result<std::string>()> reload;  ///< returns what has changed
  std::function<Result<void>(const TunnelCommand&)> change_tunnel;
  std::function<std::vector<NdpReport>()> ndp = [] { return std::vector<NdpReport>{}; };
  /// Of this device, or of all where the name is empty; at most so many of each.
  std::function<std::vector<DeviceFlows>(std::string_view device, std::size_t limit)> flows =
      [](std::string_view, std::size_t) { return std::vector<DeviceFlows>{}; };
};

/// The answer to one line.
[[nodiscard]] std::string answer_request(std::string_view line, const RequestHandlers& handlers);

/// `tunnel`: of "show", only this one; empty: all.
[[nodiscard]] std::string request_line(std::string_view request, std::string_view tunnel = {});
[[nodiscard]] std::string request_line(const TunnelCommand& command);
/// `device`: empty: all.
[[nodiscard]] std::string flows_request(std::string_view device, std::size_t limit);

/// "done" of an answer, or the error that it holds.
[[nodiscard]] Result<std::string> read_done(std::string_view answer);
/// The names in an answer to "devices".
[[nodiscard]] std::vector<std::string> read_names(std::string_view answer);

}  // namespace culvert::program
