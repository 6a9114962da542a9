// ReceiverCheck: warns of others on this host that receive the packets of our tunnels too. The thread of
// its io_context.
#pragma once

#include <boost/asio/io_context.hpp>
#include <set>
#include <string>
#include <string_view>

#include "io/fd.h"
#include "tools/culvert/daemon/delayed_call.h"
#include "tools/culvert/daemon/device_set.h"

namespace culvert::program {

class ReceiverCheck {
 public:
  /// `devices` outlives this object, and gets the warnings.
  ReceiverCheck(boost::asio::io_context& context, DeviceSet& devices);

  /// Tells the other culverts of this network namespace that this one answers at `control_path`.
  void start(const std::string& control_path);
  /// Call after tunnels have changed. Looks at the kernel's tunnels and at raw sockets, and asks the
  /// other culverts; again every few seconds as long as there is something to warn of.
  void request() { check_.request(); }

 private:
  void check();
  void compare(const std::string& peer, std::string_view answer);

  boost::asio::io_context& context_;
  DeviceSet& devices_;
  DelayedCall check_, repeat_;
  std::string own_path_;
  io::Fd announced_;
  std::set<std::string> warned_of_;  ///< control sockets of other culverts
};

}  // namespace culvert::program
