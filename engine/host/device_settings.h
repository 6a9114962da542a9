// DeviceSettings: one device, as the command line or the file describes it. Plain values; any
// thread.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/config.h"
#include "proto/address.h"

namespace culvert::host {

/// Where a file describes the tunnels of a device, for errors.
struct FileLines {
  std::string file;
  std::map<std::string, unsigned, std::less<>> tunnels;  ///< by name; the first line of its section
};

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
  /// Addresses and prefixes that were written without a prefix length, which counts as 128 or 32:
  /// "address 2001:db8:1::2 (line 4)". The owner tells the user.
  std::vector<std::string> without_length{};
  /// Null: the settings are not those of a file, or were changed since.
  std::shared_ptr<const FileLines> lines{};
};

}  // namespace culvert::host
