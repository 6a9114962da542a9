// Settings: all devices and NDP proxies of one process. command_line and config_file fill it. Plain
// values; any thread.
#pragma once

#include <vector>

#include "engine/host/device_settings.h"
#include "engine/ndp/ndp_config.h"

namespace culvert::program {

/// The settings of one process: those of a whole file, or the one device of the command line.
struct Settings {
  std::vector<host::DeviceSettings> devices;
  std::vector<NdpConfig> ndp;
};

}  // namespace culvert::program
