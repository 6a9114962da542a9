#include "bench/e2e/server/turn.h"

#include "bench/e2e/measure.h"
#include "bench/e2e/stop.h"

namespace culvert::bench::server {

Result<double> measure_turn(Broker& broker, const FlowsConfig& config) {
  auto flows = Flows::start(broker, config);
  if (!flows) return Unexpected{flows.error()};
  if (auto paused = pause(kWarmUp); !paused) return Unexpected{paused.error()};
  const std::uint64_t before = flows->received();
  const auto start = Clock::now();
  if (auto paused = pause(kLoadTurn); !paused) return Unexpected{paused.error()};
  const std::chrono::duration<double> duration = Clock::now() - start;
  const auto received = static_cast<double>(flows->received() - before);
  if (auto running = broker.check_running(); !running) return Unexpected{running.error()};
  if (auto ended = flows->finish(); !ended) return Unexpected{ended.error()};
  if (auto paused = pause(kDrainTime); !paused) return Unexpected{paused.error()};
  return received / duration.count();
}

FlowsConfig datagrams_to(const Spread& clients, std::chrono::nanoseconds interval) {
  constexpr std::size_t kPayloadBytes = 64;
  return {.kind = Work::Kind::udp,
          .datagrams = {.payload_bytes = kPayloadBytes, .interval = interval, .spread = clients}};
}

}  // namespace culvert::bench::server
