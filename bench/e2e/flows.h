// Flows: the load through a tunnel. It runs sender and receiver processes, and reads the counters
// that they share with this process. One thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "bench/e2e/cpu.h"
#include "bench/e2e/load.h"
#include "bench/e2e/path.h"
#include "bench/e2e/plan.h"
#include "bench/e2e/process.h"
#include "bench/e2e/shared.h"

namespace culvert::bench {

struct FlowsConfig {
  Work::Kind kind = Work::Kind::tcp;
  unsigned count = 1;
  Datagrams datagrams{};   ///< UDP
  std::size_t sender = 0;  ///< index of the endpoint with the senders
  bool verify = false;     ///< TCP: compare every byte
};

class Flows {
 public:
  /// Starts all processes and returns when every flow has received data.
  [[nodiscard]] static Result<Flows> start(Path& path, const FlowsConfig& config);

  /// Bytes (TCP) or datagrams (UDP) so far.
  [[nodiscard]] std::uint64_t received() const noexcept;
  [[nodiscard]] std::uint64_t sent() const noexcept;
  [[nodiscard]] std::uint64_t not_in_order() const noexcept;
  /// TCP: the sum over the senders' connections.
  [[nodiscard]] std::uint64_t retransmissions() const noexcept;
  [[nodiscard]] std::uint32_t mss_bytes() const noexcept;

  /// TCP: whether all received bytes so far equal the sent bytes. True without `verify`.
  [[nodiscard]] bool is_equal() const noexcept;

  /// UDP: stops the senders until resume(), and waits until every datagram has arrived or is lost.
  [[nodiscard]] Result<void> hold();
  void resume() noexcept;

  void watch(CpuMeter& meter) const;
  [[nodiscard]] Result<void> check_running();
  /// Ends all processes in order. Kills a process that does not end, for example because its
  /// connection waits for a retransmission. Fails if a process has failed.
  [[nodiscard]] Result<void> finish();

 private:
  struct Pair {
    Process receiver;
    Process sender;
  };

  Flows(Shared<Flow> flows, const FlowsConfig& config) noexcept
      : flows_(std::move(flows)), config_(config) {}
  [[nodiscard]] Result<void> start_one(Path& path, Flow& flow);
  [[nodiscard]] Result<void> wait_until_flowing(Path& path);
  [[nodiscard]] bool has_ended() noexcept;
  template <class Counter>
  [[nodiscard]] std::uint64_t sum(Counter Flow::*counter) const noexcept;

  Shared<Flow> flows_;
  FlowsConfig config_;
  std::vector<Pair> pairs_;
};

}  // namespace culvert::bench
