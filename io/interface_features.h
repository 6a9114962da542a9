// What an interface does with super-packets that are encapsulated already (ethtool's features).
// Set-up only; any thread.
#pragma once

#include "io/result.h"

namespace culvert::io {

/// Whether encapsulated super-packets leave a virtual interface uncut: veth gives them to its peer
/// as they are, with checksums unfinished. A kernel's tunnel there knows what to do with them, a
/// program with a raw socket does not. A real network card cuts what it takes.
[[nodiscard]] Result<bool> passes_super_packets(unsigned interface_index);

}  // namespace culvert::io
