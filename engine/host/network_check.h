// Finds networks of a device that another interface of this host has too. One thread.
#pragma once

#include <string>
#include <vector>

#include "engine/host/device_settings.h"

namespace culvert::host {

/// One sentence with its remedy for each address of the device whose network another interface has too.
/// The kernel then has two routes to that network, and one of them leads into the wrong interface. A
/// link-local network is on every link, and an address of full length (128 or 32 bits) has none.
[[nodiscard]] std::vector<std::string> network_warnings(const DeviceSettings& settings);

}  // namespace culvert::host
