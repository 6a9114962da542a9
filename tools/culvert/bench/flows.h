// Flows of load through a tunnel, from one end to the other: the processes that make and take it,
// and the counters they share with us. One thread.
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

struct FlowsWanted {
  Work::Kind kind = Work::Kind::tcp;
  unsigned count = 1;
  std::size_t payload_bytes = 0;         ///< of UDP
  std::chrono::nanoseconds interval{0};  ///< of UDP: between batches of 64
  std::size_t sender = 0;                ///< the end at which the senders are
  bool verify = false;                   ///< TCP: compare every byte
};

struct UnmapFlows {
  std::size_t bytes = 0;
  void operator()(Flow* flows) const noexcept;
};

class Flows {
 public:
  /// Returns when every flow flows.
  [[nodiscard]] static Result<Flows> start(Tunnel& tunnel, const FlowsWanted& wanted);

  /// Bytes (TCP) or datagrams (UDP) so far.
  [[nodiscard]] std::uint64_t received() const noexcept;
  [[nodiscard]] std::uint64_t sent() const noexcept;
  [[nodiscard]] std::uint64_t not_in_order() const noexcept;
  /// TCP: of the senders' connections.
  [[nodiscard]] std::uint64_t retransmissions() const noexcept;
  [[nodiscard]] std::uint32_t mss_bytes() const noexcept;

  /// TCP: nothing that came, so far, was not what was sent. True without `verify`.
  [[nodiscard]] bool is_equal() const noexcept;

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

  Flows(SharedFlows flows, const FlowsWanted& wanted) noexcept
      : flows_(std::move(flows)), wanted_(wanted) {}
  [[nodiscard]] static SharedFlows share(unsigned count);
  [[nodiscard]] Result<void> start_one(Tunnel& tunnel, Flow& flow);
  [[nodiscard]] Result<void> wait_until_flowing(Tunnel& tunnel);
  [[nodiscard]] bool has_ended() noexcept;
  template <class Counter>
  [[nodiscard]] std::uint64_t sum(Counter Flow::*counter) const noexcept;

  SharedFlows flows_;
  FlowsWanted wanted_;
  std::vector<Pair> pairs_;
};

}  // namespace culvert::bench
