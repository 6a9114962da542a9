// The features of a network interface, as `ethtool -k` shows them (ethtool ioctls). Set-up only;
// any thread, in its own network namespace.
#pragma once

#include <string>
#include <vector>

namespace culvert::io {

struct InterfaceFeature {
  std::string name;  ///< the kernel's: "tx-checksum-ip-generic"
  bool is_on = false;
  bool may_change = false;
};

/// Reads all features of an interface, in the order of their bits. Returns 0 or an errno.
[[nodiscard]] int read_features(const std::string& interface,
                                std::vector<InterfaceFeature>& features);

/// Switches off each feature i for which `off[i]` is true. `features`: as read_features() returned
/// them. Returns 0 or an errno. The kernel may keep a feature on: read the features again.
[[nodiscard]] int switch_off(const std::string& interface,
                             const std::vector<InterfaceFeature>& features,
                             const std::vector<bool>& off);

}  // namespace culvert::io
