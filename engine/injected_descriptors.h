// Open TUN queues and sockets that the owner hands to an engine.
#pragma once

#include <vector>

#include "io/sockets.h"

namespace culvert {

/// Descriptors that the owner opened, one element per worker. The engine then opens none of these
/// itself and needs no privilege. The number of elements replaces Config::workers, and the kind of
/// the sockets replaces Config::receive.
using InjectedDescriptors = std::vector<io::WorkerDescriptors>;

}  // namespace culvert
