// What is different between the settings that run and those that are to run: what may not be, and
// what is said of the rest. Pure functions; any thread.
#pragma once

#include <string>

#include "tools/culvert/config/settings.h"

namespace culvert::program {

/// How many of what came, changed and went.
struct Changes {
  struct Counts {
    std::size_t added = 0, changed = 0, removed = 0;
    friend bool operator==(const Counts&, const Counts&) = default;
  };
  /// Tunnels of devices that come or go are not counted one by one. A device has changed if more
  /// than its tunnels has.
  Counts devices, tunnels;
  Counts ndp;  ///< sections
  friend bool operator==(const Changes&, const Changes&) = default;

  /// "1 tunnel added, 2 changed, 1 removed"; of several kinds: "1 device added; 1 tunnel changed; 1
  /// ndp section removed".
  [[nodiscard]] std::string to_text() const;
};

/// Devices are matched by name, and so are the tunnels of one; ndp sections by interface.
[[nodiscard]] Changes find_changes(const Settings& before, const Settings& after);

/// Refuses what cannot change in a device that runs: the error names it and says to restart.
[[nodiscard]] Result<void> check_change(const host::DeviceSettings& before,
                                        const host::DeviceSettings& after);

/// The device of this name; null: there is none.
[[nodiscard]] const host::DeviceSettings* find_device(const Settings& settings,
                                                      std::string_view name);

}  // namespace culvert::program
