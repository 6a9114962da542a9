// A turn of load through a broker. One thread.
#pragma once

#include "bench/e2e/flows.h"
#include "bench/e2e/server/broker.h"

namespace culvert::bench::server {

/// The received bytes (TCP) or datagrams (UDP) of a second.
[[nodiscard]] Result<double> measure_turn(Broker& broker, const FlowsConfig& config);

/// The configuration for UDP with 64 bytes of payload to random clients. `interval`: between
/// batches of 64; 0: as fast as one CPU can.
[[nodiscard]] FlowsConfig datagrams_to(const Spread& clients,
                                       std::chrono::nanoseconds interval = {});

}  // namespace culvert::bench::server
