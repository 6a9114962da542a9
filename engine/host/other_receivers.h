// Finds who else on this host receives the packets of a device's tunnels. One thread.
#pragma once

#include <string>
#include <vector>

#include "engine/config.h"

namespace culvert::host {

/// One sentence with its remedy for each other receiver in this network namespace, as both may deliver
/// each packet: a tunnel device of the kernel (sit, gre, ipip) that is up, and a raw socket of another
/// program. Programs with the executable file of this process are left out: they tell themselves.
/// Tunnels with `remote any` are left out too: they share by inner source.
[[nodiscard]] std::vector<std::string> other_receivers(const Config& config);

}  // namespace culvert::host
