// Flows of load through a tunnel, from end a to end b: the processes that make and take it, and the
// counters they share with us. One thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#include "tools/culvert/bench/cpu.h"
#include "tools/culvert/bench/load.h"
#include "tools/culvert/bench/plan.h"
#include "tools/culvert/bench/tunnel.h"

namespace culvert::bench {

struct UnmapFlows {
  std::size_t bytes = 0;
  void operator()(Flow* flows) const noexcept;
};

class Flows {
 public:
  /// Returns when every flow flows. `sender`: the end at which the senders are.
  [[nodiscard]] static Result<Flows> start(Tunnel& tunnel, Work::Kind kind, unsigned count,
                                           std::size_t payload_bytes, std::size_t sender = 0);

  /// Bytes (TCP) or datagrams (UDP) so far.
  [[nodiscard]] std::uint64_t received() const noexcept;
  [[nodiscard]] std::uint64_t sent() const noexcept;
  [[nodiscard]] std::uint64_t not_in_order() const noexcept;
  /// TCP: of the senders' connections.
  [[nodiscard]] std::uint64_t retransmissions() const noexcept;
  [[nodiscard]] std::uint32_t mss_bytes() const noexcept;

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
  using SharedFlows = std::unique_ptr<Flow[], UnmapFlows>;

  Flows(SharedFlows flows, unsigned count, Work::Kind kind) noexcept
      : flows_(std::move(flows)), count_(count), kind_(kind) {}
  [[nodiscard]] static SharedFlows share(unsigned count);
  [[nodiscard]] Result<void> start_one(Tunnel& tunnel, Flow& flow, std::size_t payload_bytes,
                                       std::size_t sender);
  [[nodiscard]] Result<void> wait_until_flowing(Tunnel& tunnel);
  [[nodiscard]] bool has_ended() noexcept;
  template <class Counter>
  [[nodiscard]] std::uint64_t sum(Counter Flow::*counter) const noexcept;

  SharedFlows flows_;
  unsigned count_;
  Work::Kind kind_;
  std::vector<Pair> pairs_;
};

}  // namespace culvert::bench
