// A server with many tunnels on one device, and their far ends: on the other machine one culvert is
// all of the clients.
//
//     namespace a, the server                               namespace b, the clients
//     fd00:a::1 [culvert] 192.0.2.1 ---- wire ---- 192.0.2.2 [culvert] 198.18.0.0/15, fd00:b::/32
//
// Tunnel n, from 1: 192.0.2.1 to 198.18.0.0 + n, its prefix is fd00:b:0:n::/64. Every address of
// the clients is one of namespace b, so that load may go to as many as it likes.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bench/e2e/path.h"
#include "bench/e2e/process.h"
#include "bench/e2e/rig.h"
#include "bench/e2e/server/plan.h"

namespace culvert::bench::server {

struct BrokerConfig {
  std::string name;  ///< for people
  unsigned tunnels = 1;
  std::vector<program::OptionText> options{};  ///< of culvert run
  unsigned flows = 0;                          ///< that the flow tables hold; 0: the default
  std::string more{};                          ///< of the server's file
  bool has_lan = false;  ///< the server has an Ethernet segment (Segment's), and a deaf one
};

/// The prefix of tunnel `number`, from 1.
[[nodiscard]] proto::Ipv6Prefix tunnel_prefix(unsigned number);
/// The far end of tunnel `number`, from 1.
[[nodiscard]] proto::Ipv4Address tunnel_remote(unsigned number);

/// A device of Segment's kind on which nobody listens.
inline constexpr char kDeafLan[] = "deaf";

class Broker : public Path {
 public:
  /// Returns when packets flow through the first tunnel.
  [[nodiscard]] static Result<std::unique_ptr<Broker>> open(const BrokerConfig& config);

  [[nodiscard]] const std::string& name() const noexcept override { return config_.name; }
  [[nodiscard]] const Namespace& end(std::size_t index) const noexcept override {
    return rig_.ends[index];
  }
  /// Of the clients that behind tunnel 1, which stands last in the file.
  [[nodiscard]] proto::Ipv6Address address(std::size_t end) const noexcept override;
  [[nodiscard]] Result<void> check_running() override;

  /// Of the server's process.
  [[nodiscard]] const Process& server() const noexcept { return processes_.front(); }
  /// From the start of the server's process until it said that its device is up.
  [[nodiscard]] std::chrono::duration<double> load_time() const noexcept { return load_time_; }
  /// Who asks on the segments.
  [[nodiscard]] const Namespace& lan() const noexcept { return *lan_; }

  /// What the program says to `culvert tunnel WORDS` at the server. Returns how long it took.
  [[nodiscard]] Result<std::chrono::duration<double>> run_tunnel_command(
      const std::vector<std::string>& words);

 private:
  Broker(BrokerConfig config, Rig rig) noexcept
      : config_(std::move(config)), rig_(std::move(rig)) {}
  [[nodiscard]] Result<void> add_lan();
  [[nodiscard]] Result<void> start_end(std::size_t end);
  [[nodiscard]] Result<void> wait_until_up();
  [[nodiscard]] Result<void> wait_for_reply();

  BrokerConfig config_;
  Rig rig_;
  std::optional<Namespace> lan_;
  std::vector<Process> processes_;
  std::chrono::duration<double> load_time_{0};
};

}  // namespace culvert::bench::server
