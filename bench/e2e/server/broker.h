// Broker: a server with many tunnels on one device, and their remote endpoints: one culvert process
// is all clients.
//
//     namespace a, the server                               namespace b, the clients
//     fd00:a::1 [culvert] 192.0.2.1 ---- wire ---- 192.0.2.2 [culvert] 198.18.0.0/15, fd00:b::/32
//
// Tunnel n, from 1: 192.0.2.1 to 198.18.0.0 + n, with the prefix fd00:b:0:n::/64. Every client
// address is local in namespace b, so load can use any number of addresses.
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
  std::string name;  ///< the name in reports
  unsigned tunnels = 1;
  std::vector<program::OptionText> options{};  ///< for `culvert run`
  unsigned flows = 0;                          ///< size of the flow tables; 0: the default
  std::string more{};                          ///< more text for the server's file
  bool has_lan = false;  ///< the server has an Ethernet segment, and one without listeners
};

/// The prefix of tunnel `number`, from 1.
[[nodiscard]] proto::Ipv6Prefix tunnel_prefix(unsigned number);
/// The remote endpoint of tunnel `number`, from 1.
[[nodiscard]] proto::Ipv4Address tunnel_remote(unsigned number);

/// A device of the same kind as the Ethernet segment, on which nobody listens.
inline constexpr char kDeafLan[] = "deaf";

class Broker : public Path {
 public:
  /// Sets server and clients up. Returns when packets pass through the first tunnel.
  [[nodiscard]] static Result<std::unique_ptr<Broker>> open(const BrokerConfig& config);

  [[nodiscard]] const std::string& name() const noexcept override { return config_.name; }
  [[nodiscard]] const Namespace& end(std::size_t index) const noexcept override {
    return rig_.ends[index];
  }
  /// For the clients: the address behind tunnel 1, which is the last one in the file.
  [[nodiscard]] InnerAddress address(std::size_t end) const override;
  [[nodiscard]] Result<void> check_running() override;

  /// The server's process.
  [[nodiscard]] const Process& server() const noexcept { return processes_.front(); }
  /// The time from the start of the server's process to its line "is up".
  [[nodiscard]] std::chrono::duration<double> load_time() const noexcept { return load_time_; }
  /// The namespace of the solicitor on the segments.
  [[nodiscard]] const Namespace& lan() const noexcept { return *lan_; }

  /// Runs `culvert tunnel WORDS` at the server. Returns the duration.
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
