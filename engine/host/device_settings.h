// One device to run: the configuration of its engine, and the addresses, routes and forwarding that
// the kernel gets for it. Plain values; any thread.
#pragma once

#include <vector>

#include "engine/config.h"
#include "proto/address.h"

namespace culvert::host {

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

}  // namespace culvert::host
