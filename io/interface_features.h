// Tells whether an interface segments encapsulated super-packets, by its ethtool features. Set-up
// only; any thread.
#pragma once

#include "io/result.h"

namespace culvert::io {

/// Whether encapsulated packets may leave the interface unsegmented, or with inner checksums
/// unfinished. A veth passes such a packet on as it is; macvlan and a bridge may do so too. A
/// kernel tunnel on the receiving side can finish the work, a program with a raw socket cannot. A
/// hardware NIC always finishes the work, so for it the result is false.
/// Fails with ENODEV, or the errno of the ethtool ioctls.
[[nodiscard]] Result<bool> may_leave_unsegmented(unsigned interface_index);

}  // namespace culvert::io
