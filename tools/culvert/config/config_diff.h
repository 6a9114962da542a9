// Compares the settings of the running process with new settings: refuses changes that a running
// device does not allow, and counts the others. Pure functions; any thread.
#pragma once

#include <string>

#include "tools/culvert/config/settings.h"

namespace culvert::program {

/// How many devices, tunnels and NDP proxies are added, changed and removed.
struct Changes {
  struct Counts {
    std::size_t added = 0, changed = 0, removed = 0;
    friend bool operator==(const Counts&, const Counts&) = default;
  };
  /// A device counts as changed if something other than its tunnels has changed. The tunnels of a
  /// device that is added or removed are not counted.
  Counts devices, tunnels;
  Counts ndp;  ///< sections
  friend bool operator==(const Changes&, const Changes&) = default;

  /// "1 tunnel added, 2 changed, 1 removed", or of several kinds
  /// "1 device added; 1 tunnel changed; 1 ndp section removed", or "nothing has changed".
  [[nodiscard]] std::string to_text() const;
};

/// Compares the settings. Devices, and the tunnels of a device, are matched by name; ndp sections
/// by interface.
[[nodiscard]] Changes find_changes(const Settings& before, const Settings& after);

/// Fails if a value differs that cannot change in a running device. The error names the word and
/// advises to restart.
[[nodiscard]] Result<void> check_change(const host::DeviceSettings& before,
                                        const host::DeviceSettings& after);

/// The device of this name; null: there is none.
[[nodiscard]] const host::DeviceSettings* find_device(const Settings& settings,
                                                      std::string_view name);

}  // namespace culvert::program
