// culvert run: runs the devices of the command line or of a file until a signal ends the process.
#include <sys/resource.h>
#include <unistd.h>

#include <utility>

#include "engine/model/quoted.h"
#include "tools/culvert/commands.h"
#include "tools/culvert/config/config_file.h"
#include "tools/culvert/daemon/line_output.h"
#include "tools/culvert/daemon/log.h"
#include "tools/culvert/daemon/supervisor.h"

namespace culvert::program {
namespace {

using host::DeviceSettings;
using program::Settings;

Unexpected<Error> refuse(std::string object, std::string advice) {
  return Unexpected{Error{
      .code = 0, .operation = "run", .object = std::move(object), .advice = std::move(advice)}};
}

Result<Settings> settings_from_file(const RunArguments& arguments) {
  if (!arguments.device.empty()) {
    return refuse(arguments.device + " with --config",
                  "write either --config FILE, or the name of a device and its words");
  }
  auto settings = load_config(arguments.config_path);
  if (!settings) return settings;
  for (host::DeviceSettings& device : settings->devices) {
    if (auto set = override_options(device, arguments.options); !set) {
      return Unexpected{set.error()};
    }
  }
  return settings;
}

Result<Settings> settings_from_words(const RunArguments& arguments) {
  if (arguments.device.empty()) {
    return refuse("", "write the name of a device and its words, or --config FILE");
  }
  auto device = parse_command_line(arguments.device, arguments.words, arguments.options);
  if (!device) return Unexpected{device.error()};
  return Settings{.devices = {std::move(*device)}, .ndp = {}};
}

/// Hints at addresses without a prefix length: `ip` takes them as one address too, but the subnet of
/// a broker's address is mostly meant.
void log_missing_lengths(const host::DeviceSettings& device) {
  constexpr std::size_t kListed = 8;
  if (device.without_length.empty()) return;
  device.config.log(LogLevel::warning,
                    "no prefix length, so it counts as one address (/128 or /32): " +
                        shortened(device.without_length, kListed) +
                        "; write the length, like 2001:db8:1::2/64");
}

Result<Settings> settings_of(const RunArguments& arguments, LogLevel log_level) {
  auto settings = arguments.config_path.empty() ? settings_from_words(arguments)
                                                : settings_from_file(arguments);
  if (!settings) return settings;
  for (host::DeviceSettings& device : settings->devices) {
    device.config.log = log_to_stderr(log_level, device.config.device);
    log_missing_lengths(device);
  }
  for (NdpConfig& ndp : settings->ndp) {
    ndp.log = log_to_stderr(log_level, ndp.interface);
  }
  return settings;
}

/// A device needs about 16 descriptors, and the usual soft limit of 1,024 is for programs that call
/// select(). A failure leaves the limit as it is.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

int run(const RunArguments& arguments) {
  const auto log_level = parse_log_level(arguments.log_level);
  if (!log_level) {
    return complain("word '--log-level', value '" + arguments.log_level +
                        "': must be debug, info, warning or error",
                    kUsageError);
  }
  raise_descriptor_limit();
  auto settings = settings_of(arguments, *log_level);
  if (!settings) {
    const Error& error = settings.error();
    return complain(error.message(), error.code != 0 ? kSystemError : kUsageError);
  }
  LineOutput output{STDOUT_FILENO};
  RunOptions options{
      .settings = std::move(*settings),
      .control_path = arguments.control_path,
      .open_engine = {},
      .open_ndp = {},
      .waits = !arguments.no_wait,
      .print = [&](std::string_view text) { output.write(text); },
      .load = {},
      .complain =
          [](std::string_view text) { write_to_stderr("culvert: " + std::string{text} + "\n"); }};
  if (!arguments.config_path.empty())
    options.load = [&] { return settings_of(arguments, *log_level); };
  const auto done = run_devices(std::move(options));
  return done ? kOk : complain(done.error().message(), kSystemError);
}

}  // namespace culvert::program
