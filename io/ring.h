// Ring: a worker's queues on one io_uring: single issuer, deferred task run, registered files,
// provided buffers; multishot reads where the kernel has them, probed at open.
#pragma once

#include <chrono>
#include <memory>
#include <string_view>

#include "io/packet_io.h"
#include "io/sockets.h"

namespace culvert::io {

/// Finds out whether io_uring may be used here, by setting one up and trying what we need: EPERM
/// (seccomp, as in Docker's default profile), ENOSYS (old kernel), EPERM by the sysctl
/// kernel.io_uring_disabled, EINVAL (kernel before 6.1) are each explained in the advice of the
/// error.
[[nodiscard]] Result<void> probe_ring();

/// What is used of io_uring if the kernel has it. For tests, which turn off what older kernels
/// lack.
struct RingFeatures {
  bool multishot_read = true;  ///< Linux 6.7; without it TUN is polled
};

/// Opens the queues of one worker. May be called on another thread than the worker's: the ring is
/// enabled by the first wait(), whose thread becomes the single issuer: all further calls are its.
/// Takes the descriptors; on failure they are closed. `busy_poll`: the limit of io/busy_poll.h.
/// `object` names the device in errors.
[[nodiscard]] Result<std::unique_ptr<PacketIo>> open_ring(WorkerDescriptors descriptors,
                                                          const QueueSizes& sizes,
                                                          std::chrono::nanoseconds busy_poll,
                                                          std::string_view object,
                                                          const RingFeatures& features = {});

}  // namespace culvert::io
