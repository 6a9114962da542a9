// Flows of load through a tunnel, from one end to the other: the processes that make and take it,
// and the counters they share with us. One thread.
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
  Datagrams datagrams{};   ///< of UDP
  std::size_t sender = 0;  ///< the end at which the senders are
  bool verify = false;     ///< TCP: compare every byte
};

class Flows {
 public:
  /// Returns when every flow flows.
  [[nodiscard]] static Result<Flows> start(Path& path, const FlowsConfig& config);

  /// Bytes (TCP) or datagrams (UDP) so far.
  [[nodiscard]] std::uint64_t received() const noexcept;
  [[nodiscard]] std::uint64_t sent() const noexcept;
  [[nodiscard]] std::uint64_t not_in_order() const noexcept;
  /// TCP: of the senders' connections.
  [[nodiscard]] std::uint64_t retransmissions() const noexcept;
  [[nodiscard]] std::uint32_t mss_bytes() const noexcept;

  /// TCP: nothing that came, so far, was not what was sent. True without `verify`.
  [[nodiscard]] bool is_equal() const noexcept;

  /// UDP: the senders send no more until resume(), and what they have sent has arrived, or will not.
  [[nodiscard]] Result<void> hold();
  void resume() noexcept;

  void watch(CpuMeter& meter) const;
  [[nodiscard]] Result<void> check_running();
  /// Ends all of them in order; by force what does not end by itself, as a connection does not
  /// that waits for a retransmission. Fails if one of them did.
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
