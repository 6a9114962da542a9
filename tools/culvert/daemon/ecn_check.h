// EcnCheck: finds tunnels on which most packets arrive marked CE although their inner packets are not
// ECN-capable. RFC 6040 4.2 has such packets dropped, so the tunnel seems dead. No congestion marks
// these packets: routers drop them instead. A device on the path overwrites the TOS field. One thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "engine/engine.h"

namespace culvert::program {

class EcnCheck {
 public:
  using Time = std::chrono::steady_clock::time_point;
  /// Fewer packets than these prove nothing. A tunnel with little traffic is judged later.
  static constexpr std::uint64_t kMinPackets = 100;
  /// The pause between two sentences about one tunnel.
  static constexpr std::chrono::minutes kPause{10};

  /// Call every few seconds. Returns one sentence for each tunnel that dropped more than half of the
  /// packets that it has received since it was judged last.
  [[nodiscard]] std::vector<std::string> check(std::span<const TunnelStatus> tunnels, Time now);

 private:
  /// The packets since `received` and `dropped` are judged next.
  struct Window {
    std::uint64_t received = 0, dropped = 0;
    Time next_sentence{};
  };
  std::map<std::string, Window> windows_;  ///< of the tunnels that have dropped such a packet
};

}  // namespace culvert::program
