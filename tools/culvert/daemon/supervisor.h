// Runs devices and NDP proxies until a signal ends the process: starts them, answers on the control
// socket, watches the network, and removes everything at the end. All of it runs on the calling
// thread.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>

#include "tools/culvert/daemon/managed_device.h"
#include "tools/culvert/daemon/managed_ndp.h"

namespace culvert::program {

/// The arguments of run_devices().
struct RunOptions {
  Settings settings;
  std::string control_path;  ///< empty: the default for the first device, or for
                             ///< ndp-IFACE of the first interface
  OpenEngine open_engine;    ///< empty: Engine::open
  OpenNdp open_ndp;          ///< empty: NdpProxy::open
  bool waits = true;  ///< for interfaces and addresses that are not there yet; false: an error
  std::function<void(std::string_view)> print;  ///< lines and tables for stdout, newline included
  /// Reads the settings again, for SIGHUP and `culvert reload`. Empty: there is no file, and SIGHUP
  /// ends the process.
  std::function<Result<Settings>()> load;
  std::function<void(std::string_view)> complain;  ///< a sentence for stderr
  std::chrono::milliseconds ecn_check_period{10'000};
};

/// Runs the devices. Returns after SIGINT or SIGTERM, or with an error if a device cannot start or
/// fails. When it returns, the devices and the control socket have been removed.
[[nodiscard]] Result<void> run_devices(RunOptions options);

}  // namespace culvert::program
