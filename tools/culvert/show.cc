// culvert show: asks the running processes for their devices and counters.
#include <cerrno>
#include <utility>

#include "tools/culvert/commands.h"
#include "tools/culvert/daemon/control_socket.h"
#include "tools/culvert/daemon/requests.h"
#include "tools/culvert/show/flow_report.h"
#include "tools/culvert/show/report.h"

namespace culvert::program {
namespace {

/// What the processes answered, and whether one that runs did not.
struct Answers {
  std::vector<std::string> reports;
  bool has_failed = false;
};

Answers ask_all(const std::string& request) {
  Answers answers;
  for (const std::string& path : find_control_sockets()) {
    auto answer = ask(path, request);
    if (answer) {
      answers.reports.push_back(std::move(*answer));
      continue;
    }
    // The socket of a process that is dead, or has just ended.
    if (answer.error().code == ECONNREFUSED || answer.error().code == ENOENT) continue;
    complain(answer.error().message(), kSystemError);
    answers.has_failed = true;
  }
  return answers;
}

int complain_nobody(const ShowArguments& arguments, bool anybody_runs) {
  if (anybody_runs && !arguments.tunnel.empty()) {
    return complain("no running culvert has a tunnel '" + arguments.tunnel + "' of device '" +
                        arguments.device + "': `culvert show " + arguments.device +
                        "` lists those that there are",
                    kSystemError);
  }
  if (anybody_runs) {
    return complain("no running culvert has a device '" + arguments.device +
                        "': `culvert show` lists those that there are",
                    kSystemError);
  }
  return complain("no culvert is running: no socket below " + std::string{kControlDirectory} +
                      " answers (one started with --control PATH is asked with show --control "
                      "PATH)",
                  kSystemError);
}

}  // namespace

/// `show flows [NAME]` is another report, of the device NAME or of all. A device that is called
/// flows is shown by the socket that it has.
int show(ShowArguments arguments) {
  const bool wants_flows = arguments.device == "flows";
  if (wants_flows) arguments.device = std::exchange(arguments.tunnel, {});
  const std::string request = wants_flows ? flows_request(arguments.device, arguments.limit)
                                          : request_line("show", arguments.tunnel);
  Answers answers;
  if (arguments.control_path.empty()) {
    answers = ask_all(request);
    if (answers.reports.empty() && answers.has_failed) return kSystemError;
  } else {
    auto answer = ask(arguments.control_path, request);
    if (!answer) return complain(answer.error().message(), kSystemError);
    answers.reports.push_back(std::move(*answer));
  }
  const auto report = merge_reports(answers.reports, arguments.device);
  if (!report) return complain(report.error().message(), kSystemError);
  const auto table = wants_flows ? flows_table(*report) : report_table(*report);
  if (!table) return complain(table.error().message(), kSystemError);
  if (table->empty()) return complain_nobody(arguments, !answers.reports.empty());
  print(arguments.json ? *report + "\n" : *table);
  return answers.has_failed ? kSystemError : kOk;
}

}  // namespace culvert::program
