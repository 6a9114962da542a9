// All NDP proxies of a process: started and stopped together, told of what netlink says, changed by
// a reload. The thread of its io_context.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <vector>

#include "tools/culvert/daemon/managed_ndp.h"

namespace culvert::program {

class NdpSet {
 public:
  /// All outlive it.
  NdpSet(boost::asio::io_context& context, OpenNdp open, PrintLine print)
      : context_(context), open_(std::move(open)), print_(std::move(print)) {}

  /// Starts one proxy for each section. On failure none is left.
  [[nodiscard]] Result<void> start(const std::vector<NdpConfig>& sections);
  /// What the file says now: sections that are there still are changed in place where they can be.
  /// On failure all is as it was before, or the error says that it is not.
  [[nodiscard]] Result<void> apply(const std::vector<NdpConfig>& sections);
  /// After a tunnel was added, removed or changed, or a device brought up: all there are now.
  void tunnels_changed(std::span<const EngineStatus> devices);
  void stop();

  [[nodiscard]] std::vector<NdpReport> reports() const;
  [[nodiscard]] std::vector<NdpConfig> sections() const;
  [[nodiscard]] bool is_empty() const noexcept { return proxies_.empty(); }

 private:
  /// One look after a burst of changes.
  struct Watched {
    Watched(boost::asio::io_context& context, host::NdpWatch opened, int fd)
        : watch(std::move(opened)), descriptor(context, fd), settle(context) {}
    host::NdpWatch watch;
    boost::asio::posix::stream_descriptor descriptor;
    boost::asio::steady_timer settle;
  };
  Result<void> start_one(const NdpConfig& section);
  Result<void> bring_to(const std::vector<NdpConfig>& sections);
  void tell_of_idle_rules();
  Result<void> apply_one(const NdpConfig& section);
  Result<void> watch_network();
  Result<void> watch(host::NdpWatch::Kind kind, std::chrono::milliseconds settle_time,
                     void (ManagedNdp::*look)());
  void await(Watched& watched, std::chrono::milliseconds settle_time, void (ManagedNdp::*look)());

  boost::asio::io_context& context_;
  OpenNdp open_;
  PrintLine print_;
  std::optional<netlink::Netlink> netlink_;
  std::vector<NdpTunnelPrefix> prefixes_;
  std::list<Watched> watched_;
  std::list<std::unique_ptr<ManagedNdp>> proxies_;
};

}  // namespace culvert::program
