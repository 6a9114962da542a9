// What is to run: devices, each the engine's configuration and what the kernel is told about it;
// and NDP proxies.
// Plain values, filled by command_line and config_file; any thread.
#pragma once

#include <vector>

#include "engine/config.h"
#include "engine/ndp_config.h"
#include "proto/address.h"

namespace culvert::control {

/// One device: what `run NAME …` or one `[device.NAME]` asks for.
struct DeviceSettings {
  Config config;
  std::vector<proto::Ipv6Prefix> addresses6;
  std::vector<proto::Ipv4Prefix> addresses4;
  std::vector<proto::Ipv6Prefix> routes6;
  std::vector<proto::Ipv4Prefix> routes4;
  /// The kernel is to forward between the device and the interfaces beside it (forwarding.h).
  bool forwarding = false;
};

/// All that one process runs: what a whole file asks for.
struct Settings {
  std::vector<DeviceSettings> devices;
  std::vector<NdpConfig> ndp;
};

}  // namespace culvert::control
