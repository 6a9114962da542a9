// NdpSet: all NDP proxies of a process. It starts and stops them together, passes changes of the
// network to them, and applies new settings at a reload. The thread of its io_context.
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

#include "engine/host/kernel_routes.h"
#include "tools/culvert/daemon/delayed_call.h"
#include "tools/culvert/daemon/managed_ndp.h"

namespace culvert::program {

class NdpSet {
 public:
  /// `context` outlives this object.
  NdpSet(boost::asio::io_context& context, OpenNdp open, PrintLine print)
      : context_(context),
        open_(std::move(open)),
        print_(std::move(print)),
        complete_(context, kCompletePause, [this] { complete(); }) {}

  /// Starts one proxy for each section. On failure all are stopped.
  [[nodiscard]] Result<void> start(const std::vector<NdpConfig>& sections);
  /// Applies new sections. A proxy whose interface stays is changed in place if possible. On
  /// failure the previous sections are applied again; if that fails too, the error says so.
  [[nodiscard]] Result<void> apply(const std::vector<NdpConfig>& sections);
  /// Call after a tunnel or a device has been added, changed or removed, with all devices.
  void tunnels_changed(std::span<const EngineStatus> devices);
  void stop();

  [[nodiscard]] std::vector<NdpReport> reports() const;
  [[nodiscard]] std::vector<NdpConfig> sections() const;
  [[nodiscard]] bool is_empty() const noexcept { return proxies_.empty(); }

 private:
  /// A netlink watch and its timer: changes come in bursts, so one update follows each burst.
  struct Watched {
    Watched(boost::asio::io_context& context, host::NdpWatch opened, int fd)
        : watch(std::move(opened)), descriptor(context, fd), settle(context) {}
    host::NdpWatch watch;
    boost::asio::posix::stream_descriptor descriptor;
    boost::asio::steady_timer settle;
    std::chrono::steady_clock::duration last_update{};  ///< how long it took
    std::chrono::steady_clock::time_point last_end{};   ///< of the last update
  };
  Result<void> start_one(const NdpConfig& section);
  Result<void> apply_all(const std::vector<NdpConfig>& sections);
  void log_idle_rules();
  Result<void> apply_one(const NdpConfig& section);
  Result<void> watch_network();
  Result<void> watch(host::NdpWatch::Kind kind, std::chrono::milliseconds settle_time,
                     void (ManagedNdp::*update)());
  void update_after(Watched& watched, void (ManagedNdp::*update)());
  void set_interests();
  void complete();
  void complete_later();
  void await(Watched& watched, std::chrono::milliseconds settle_time, void (ManagedNdp::*update)());

  /// Others change addresses or routes all the while, so the next reading waits for a quieter time.
  static constexpr std::chrono::milliseconds kCompletePause{200};

  boost::asio::io_context& context_;
  OpenNdp open_;
  PrintLine print_;
  std::optional<netlink::Netlink> netlink_;
  std::vector<NdpTunnelPrefix> prefixes_;
  std::list<Watched> watched_;
  std::vector<host::NdpInterest> interests_;
  std::list<std::unique_ptr<ManagedNdp>> proxies_;
  DelayedCall complete_;
  std::optional<host::RouteChanges> changes_;  ///< since the request of complete_
};

}  // namespace culvert::program
