// What an interface does with super-packets that are encapsulated already (ethtool's features).
// Set-up only; any thread.
#pragma once

#include "io/result.h"

namespace culvert::io {

/// Whether what is encapsulated may leave a virtual interface uncut, or with inner checksums
/// unfinished: veth gives it to its peer as it is, and so may macvlan and a bridge. A kernel's
/// tunnel there knows what to do with it, a program with a raw socket does not. A real network card
/// finishes what it takes.
[[nodiscard]] Result<bool> may_leave_unsegmented(unsigned interface_index);

}  // namespace culvert::io
