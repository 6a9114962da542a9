// culvert reload, culvert tunnel: ask the running process to change what it runs.
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <utility>

#include "tools/culvert/commands.h"
#include "tools/culvert/config/parse_value.h"
#include "tools/culvert/daemon/control_socket.h"
#include "tools/culvert/daemon/requests.h"

namespace culvert::program {
namespace {

/// Ten thousand tunnels on a busy machine take their time.
constexpr std::chrono::seconds kTimeout{60};

/// The sockets of running processes, of that device if one is named.
std::vector<std::string> find_processes(const std::string& device) {
  std::vector<std::string> found;
  for (const std::string& path : find_control_sockets()) {
    const auto answer = ask(path, request_line("devices"));
    if (!answer) continue;
    const auto names = read_names(*answer);
    const bool is_its = std::find(names.begin(), names.end(), device) != names.end();
    if (device.empty() || is_its) found.push_back(path);
  }
  return found;
}

Unexpected<Error> refuse(std::string object, std::string advice) {
  return Unexpected{Error{.code = ENOENT,
                          .operation = "ask",
                          .object = std::move(object),
                          .advice = std::move(advice)}};
}

/// The one process that is meant.
Result<std::string> find_process(const std::string& device, const std::string& control_path) {
  if (!control_path.empty()) return control_path;
  const auto found = find_processes(device);
  if (found.size() == 1) return found.front();
  if (found.size() > 1) {
    return refuse("culvert",
                  "several are running: name a device of the one that is meant, or "
                  "--control PATH");
  }
  if (device.empty()) return refuse("culvert", "none is running (as far as this user may ask)");
  return refuse(device,
                "no running culvert has a device of that name: `culvert show` lists those "
                "that there are");
}

int ask_and_say(const std::string& device, const std::string& control_path,
                const std::string& request, int status_if_refused) {
  const auto path = find_process(device, control_path);
  if (!path) return complain(path.error().message(), kSystemError);
  const auto answer = ask(*path, request, kTimeout);
  if (!answer) return complain(answer.error().message(), kSystemError);
  const auto done = read_done(*answer);
  if (!done) {
    return complain(done.error().advice, done.error().code == 0 ? status_if_refused : kSystemError);
  }
  print("culvert: " + *done + "\n");
  return kOk;
}

}  // namespace

int reload(const ReloadArguments& arguments) {
  return ask_and_say(arguments.device, arguments.control_path, request_line("reload"),
                     kSystemError);
}

int change_tunnel(const TunnelArguments& arguments) {
  const TunnelCommand& what = arguments.what;
  if (what.action != "add" && what.action != "del" && what.action != "set") {
    return complain("tunnel " + quoted(what.action) +
                        (what.action.empty() ? ": say" : " is unknown: say") +
                        " add, del or set; see `culvert tunnel --help`",
                    kUsageError);
  }
  if (what.device.empty() || what.tunnel.empty()) {
    return complain("tunnel " + what.action +
                        ": give a device and the name of a tunnel; see "
                        "`culvert tunnel --help`",
                    kUsageError);
  }
  return ask_and_say(what.device, arguments.control_path, request_line(what), kUsageError);
}

}  // namespace culvert::program
