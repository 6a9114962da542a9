// Runs devices until a signal comes: brings them up, answers on the control socket, watches the
// network, takes everything down again. The thread that calls it.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "tools/culvert/daemon/managed_device.h"
#include "tools/culvert/daemon/managed_ndp.h"

namespace culvert::program {

struct RunOptions {
  Settings settings;
  std::string control_path;                     ///< empty: the default of the first device, or
                                                ///< ndp-IFACE of the first interface
  OpenEngine open_engine;                       ///< empty: Engine::open
  OpenNdp open_ndp;                             ///< empty: NdpProxy::open
  std::function<void(std::string_view)> print;  ///< lines and tables for stdout, newline included
  /// Reads the settings again: SIGHUP and `culvert reload` ask for it. Empty: there is no file, and
  /// SIGHUP ends the process.
  std::function<Result<Settings>()> load;
  std::function<void(std::string_view)> complain;  ///< a sentence for stderr
};

/// Returns after SIGINT or SIGTERM, or with the error that kept a device from starting or
/// stopped one. In every case the devices and the control socket are gone.
[[nodiscard]] Result<void> run_devices(RunOptions options);

}  // namespace culvert::program
