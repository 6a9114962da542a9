// Switches off the offloads of a network device (ethtool ioctls), so that packets on the wire are
// as on a cable: at most as large as the MTU, with complete checksums.
#pragma once

#include <string>

#include "io/result.h"

namespace culvert::bench {

/// Switches off GSO, GRO, scatter-gather and checksum offloads of a device in the calling thread's
/// namespace. Fails if one of them stays on.
[[nodiscard]] Result<void> switch_off_offloads(const std::string& device);

}  // namespace culvert::bench
