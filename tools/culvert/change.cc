// culvert reload, culvert tunnel: send a running process a request to change its devices.
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

/// A change of 10,000 tunnels on a busy machine takes several seconds.
constexpr std::chrono::seconds kTimeout{60};

/// The running processes that answer on their control sockets.
struct Processes {
  std::vector<std::string> paths;    ///< of the processes with the device that was looked for
  std::vector<std::string> devices;  ///< of all processes
  std::string failure;               ///< the error of a process that did not answer; may be empty
  bool has_sockets = false;
};

/// `device`: only processes with this device; empty: all.
Processes find_processes(const std::string& device) {
  Processes found;
  for (const std::string& path : find_control_sockets()) {
    found.has_sockets = true;
    const auto answer = send_request(path, request_line("devices"));
    if (!answer) {
      const int code = answer.error().code;
      const bool is_dead = code == ECONNREFUSED || code == ENOENT;
      if (!is_dead) found.failure = answer.error().message();
      continue;
    }
    const auto names = read_names(*answer);
    const bool has_device = std::find(names.begin(), names.end(), device) != names.end();
    if (device.empty() || has_device) found.paths.push_back(path);
    found.devices.insert(found.devices.end(), names.begin(), names.end());
  }
  return found;
}

/// Why none of the processes, or more than one, can get the request.
std::string describe_choice(const Processes& found, const std::string& device) {
  const std::string directory{kControlDirectory};
  constexpr std::size_t kListedDevices = 16;
  std::vector<std::string> devices;
  for (const std::string& name : found.devices) devices.push_back(printable(name));
  const std::string names = shortened(devices, kListedDevices);
  if (found.paths.size() > 1) {
    if (!device.empty())
      return "several running culverts have a device " + quoted(device) + ": write --control PATH";
    return "several culverts are running: name a device of one of them" +
           (names.empty() ? "" : " (" + names + ")") + ", or write --control PATH";
  }
  if (!names.empty())
    return "no running culvert has a device " + quoted(device) + "; running: " + names;
  if (!found.failure.empty()) return "no running culvert answers: " + found.failure;
  return "no culvert is running: " +
         (found.has_sockets ? "no control socket in " + directory + " answers"
                            : "there is no control socket in " + directory) +
         "; if culvert was started with --control PATH, write --control PATH";
}

/// The control socket of the process that gets the request, or an error sentence.
Expected<std::string, std::string> find_process(const std::string& device,
                                                const std::string& control_path) {
  if (!control_path.empty()) return control_path;
  const Processes found = find_processes(device);
  if (found.paths.size() == 1) return found.paths.front();
  return Unexpected{describe_choice(found, device)};
}

/// Sends a request to the process and prints its answer. `refused_status`: the exit status if the
/// process refuses the words of the request.
int send_and_print(const std::string& device, const std::string& control_path,
                   const std::string& request, int refused_status) {
  const auto path = find_process(device, control_path);
  if (!path) return complain(path.error(), kSystemError);
  const auto answer = send_request(*path, request, kTimeout);
  if (!answer) return complain(answer.error().message(), kSystemError);
  const auto done = read_done(*answer);
  if (!done) {
    return complain(done.error().advice, done.error().code == 0 ? refused_status : kSystemError);
  }
  print("culvert: " + *done + "\n");
  return kOk;
}

}  // namespace

int reload(const ReloadArguments& arguments) {
  return send_and_print(arguments.device, arguments.control_path, request_line("reload"),
                        kSystemError);
}

int change_tunnel(const TunnelArguments& arguments) {
  const TunnelCommand& command = arguments.command;
  if (command.action != "add" && command.action != "del" && command.action != "set") {
    const std::string problem =
        command.action.empty() ? "is missing" : quoted(command.action) + " is unknown";
    return complain(
        "the action " + problem + ": write add, del or set; see `culvert tunnel --help`",
        kUsageError);
  }
  if (command.device.empty() || command.tunnel.empty()) {
    return complain("tunnel " + command.action +
                        ": the device or the name of the tunnel is missing; see "
                        "`culvert tunnel --help`",
                    kUsageError);
  }
  return send_and_print(command.device, arguments.control_path, request_line(command), kUsageError);
}

}  // namespace culvert::program
