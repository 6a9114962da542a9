// DeviceSettings: one device, as the command line or the file describes it. Plain values; any
// thread.
#pragma once

#include <vector>

#include "engine/config.h"
#include "proto/address.h"

namespace culvert::host {

/// The settings of `culvert run NAME …` or of one `[device.NAME]`: the configuration of the engine,
/// and the addresses, routes and forwarding that the kernel gets for the device.
struct DeviceSettings {
  Config config;
  std::vector<proto::Ipv6Prefix> addresses6;
  std::vector<proto::Ipv4Prefix> addresses4;
  std::vector<proto::Ipv6Prefix> routes6;
  std::vector<proto::Ipv4Prefix> routes4;
  /// The kernel shall forward between the device and other interfaces (forwarding.h).
  bool forwarding = false;
};

}  // namespace culvert::host
