// culvert run: devices from words or from a file, until a signal comes.
#include <utility>

#include "engine/control/config_file.h"
#include "engine/control/log.h"
#include "engine/control/supervisor.h"
#include "tools/culvert/commands.h"

namespace culvert::tool {
namespace {

using control::DeviceSettings;

Unexpected<Error> refuse(std::string object, std::string advice) {
  return Unexpected{Error{
      .code = 0, .operation = "run", .object = std::move(object), .advice = std::move(advice)}};
}

Result<std::vector<DeviceSettings>> devices_from_file(const RunArguments& arguments) {
  if (!arguments.device.empty()) {
    return refuse(arguments.device + " with --config",
                  "give either a file, or the name of a device and its words");
  }
  auto devices = control::load_config(arguments.config_path);
  if (!devices) return devices;
  for (DeviceSettings& settings : *devices) {
    if (auto set = control::override_options(settings, arguments.options); !set) {
      return Unexpected{set.error()};
    }
  }
  return devices;
}

Result<std::vector<DeviceSettings>> devices_from_words(const RunArguments& arguments) {
  if (arguments.device.empty()) {
    return refuse("", "give the name of a device and its words, or --config FILE");
  }
  auto settings = control::parse_command_line(arguments.device, arguments.words, arguments.options);
  if (!settings) return Unexpected{settings.error()};
  return std::vector<DeviceSettings>{std::move(*settings)};
}

}  // namespace

int run(const RunArguments& arguments) {
  const auto log_level = control::parse_log_level(arguments.log_level);
  if (!log_level) {
    return complain("word '--log-level', value '" + arguments.log_level +
                        "': must be debug, info, warning or error",
                    kUsageError);
  }
  auto devices =
      arguments.config_path.empty() ? devices_from_words(arguments) : devices_from_file(arguments);
  if (!devices) {
    const Error& error = devices.error();
    return complain(error.message(), error.code != 0 ? kSystemError : kUsageError);
  }
  for (DeviceSettings& settings : *devices) {
    settings.config.log = control::log_to_stderr(*log_level, settings.config.device);
  }
  const auto done = control::run_devices({.devices = std::move(*devices),
                                          .control_path = arguments.control_path,
                                          .open_engine = {},
                                          .print = print});
  return done ? kOk : complain(done.error().message(), kSystemError);
}

}  // namespace culvert::tool
