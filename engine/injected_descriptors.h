// Descriptors of TUN queues and sockets that an engine gets from its owner.
#pragma once

#include <vector>

#include "io/sockets.h"

namespace culvert {

/// Descriptors that the owner opened: one element for each worker. Then the engine opens none of
/// these itself, and needs no privilege; Config::workers, receive and io's socket kinds follow from
/// them.
using InjectedDescriptors = std::vector<io::WorkerDescriptors>;

}  // namespace culvert
