// culvert show: requests the reports of the running processes and prints them.
#include <cerrno>
#include <utility>

#include "tools/culvert/commands.h"
#include "tools/culvert/daemon/control_socket.h"
#include "tools/culvert/daemon/requests.h"
#include "tools/culvert/show/flow_report.h"
#include "tools/culvert/show/report.h"

namespace culvert::program {
namespace {

/// The answers of the running processes. `has_failed`: a running process did not answer.
struct Answers {
  std::vector<std::string> reports;
  bool has_failed = false;
};

Answers request_all(const std::string& request) {
  Answers answers;
  for (const std::string& path : find_control_sockets()) {
    auto answer = send_request(path, request);
    if (answer) {
      answers.reports.push_back(std::move(*answer));
      continue;
    }
    // The process is dead, or has just ended.
    if (answer.error().code == ECONNREFUSED || answer.error().code == ENOENT) continue;
    complain(answer.error().message(), kSystemError);
    answers.has_failed = true;
  }
  return answers;
}

/// Prints an error for an empty report.
int complain_not_found(const ShowArguments& arguments, bool is_any_running) {
  if (is_any_running && !arguments.tunnel.empty()) {
    return complain("no running culvert has a tunnel '" + arguments.tunnel + "' of device '" +
                        arguments.device + "': `culvert show " + arguments.device +
                        "` lists its tunnels",
                    kSystemError);
  }
  if (is_any_running) {
    return complain("no running culvert has a device '" + arguments.device +
                        "': `culvert show` lists the devices",
                    kSystemError);
  }
  return complain("no culvert is running: no control socket in " + std::string{kControlDirectory} +
                      " answers; if culvert was started with --control PATH, write `culvert show "
                      "--control PATH`",
                  kSystemError);
}

}  // namespace

/// `show flows [NAME]` prints the flow table of the device NAME or of all devices. To show a device
/// that is called "flows", write its control socket.
int show(ShowArguments arguments) {
  const bool wants_flows = arguments.device == "flows";
  if (wants_flows) arguments.device = std::exchange(arguments.tunnel, {});
  const std::string request = wants_flows ? flows_request(arguments.device, arguments.limit)
                                          : request_line("show", arguments.tunnel);
  Answers answers;
  if (arguments.control_path.empty()) {
    answers = request_all(request);
    if (answers.reports.empty() && answers.has_failed) return kSystemError;
  } else {
    auto answer = send_request(arguments.control_path, request);
    if (!answer) return complain(answer.error().message(), kSystemError);
    answers.reports.push_back(std::move(*answer));
  }
  const auto report = merge_reports(answers.reports, arguments.device);
  if (!report) return complain(report.error().message(), kSystemError);
  const auto table = wants_flows ? flows_table(*report) : report_table(*report);
  if (!table) return complain(table.error().message(), kSystemError);
  if (table->empty()) return complain_not_found(arguments, !answers.reports.empty());
  print(arguments.json ? *report + "\n" : *table);
  return answers.has_failed ? kSystemError : kOk;
}

}  // namespace culvert::program
