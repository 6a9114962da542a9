// The offloads of a network device (ethtool ioctls), so that packets on the wire are as on a cable:
// at most as large as the MTU, checksums finished.
#pragma once

#include <string>

#include "io/result.h"

namespace culvert::bench {

/// Switches off segmentation, coalescing, scatter-gather and checksum offloads of a device in the
/// calling thread's namespace, and looks that they are off.
[[nodiscard]] Result<void> switch_off_offloads(const std::string& device);

}  // namespace culvert::bench
