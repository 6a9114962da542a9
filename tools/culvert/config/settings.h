// Everything that one process runs: devices and NDP proxies.
// Plain values, filled by command_line and config_file; any thread.
#pragma once

#include <vector>

#include "engine/host/device_settings.h"
#include "engine/ndp/ndp_config.h"

namespace culvert::program {

/// All that one process runs: what a whole file asks for.
struct Settings {
  std::vector<host::DeviceSettings> devices;
  std::vector<NdpConfig> ndp;
};

}  // namespace culvert::program
