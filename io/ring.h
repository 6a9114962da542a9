// Ring: the PacketIo of a worker on one io_uring. It uses a single issuer, deferred task run,
// registered files, provided buffers and, if the kernel has them, multishot reads (open probes
// this).
#pragma once

#include <chrono>
#include <memory>
#include <string_view>

#include "io/packet_io.h"
#include "io/sockets.h"

namespace culvert::io {

/// Tests whether io_uring works here: sets up a ring with all features that Ring needs and closes
/// it. The advice of the error explains EPERM (seccomp, as in Docker's default profile, or the
/// sysctl kernel.io_uring_disabled), ENOSYS (old kernel), EINVAL (kernel before 6.1) and ENOMEM
/// (RLIMIT_MEMLOCK). Any thread.
[[nodiscard]] Result<void> probe_ring();

/// Optional io_uring features. Tests switch them off to behave like an older kernel.
struct RingFeatures {
  bool multishot_read = true;  ///< Linux 6.7; without it Ring polls TUN
};

/// Opens the PacketIo of one worker. Any thread may call it: the first wait() enables the ring and
/// makes its thread the single issuer, which must make all further calls. The PacketIo owns the
/// descriptors; on failure they are closed. `busy_poll`: the limit of io/busy_poll.h. `object`: the
/// device's name in errors.
[[nodiscard]] Result<std::unique_ptr<PacketIo>> open_ring(WorkerDescriptors descriptors,
                                                          const QueueSizes& sizes,
                                                          std::chrono::nanoseconds busy_poll,
                                                          std::string_view object,
                                                          const RingFeatures& features = {});

}  // namespace culvert::io
